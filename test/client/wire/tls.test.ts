import { createPrivateKey } from 'node:crypto';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { type ApiNodeClientOptions, ConnectionError, InvalidCallError, type TlsOptions } from '../../../client';
import { authority, type Certificates, certificates } from '../../support/certificates';
import type { ChaosOptions } from '../../support/chaosProxy';
import { brief, failureOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

let pem: Certificates;
beforeAll(async () => {
	pem = await certificates();
});

const answer = { body: { result: { prediction: 1 } } };

async function call(tls: ChaosOptions['tls'], options: TlsOptions = {}, more: Partial<ApiNodeClientOptions> = {}) {
	const { chaos, client } = await stage.chaosAndClient({ tls, respond: () => answer }, { tls: options, ...more });
	return { chaos, client, outcome: client.predictRecord('e', {}, brief) };
}

const oneLine = (text: string) => text.trim().replaceAll('\n', ' ');

describe('the client trusts', () => {
	test('an API node of a private authority whose certificate is given', async () => {
		const { outcome } = await call(pem.server, { ca: pem.ca });
		expect(await outcome).toEqual(answer.body);
	});

	test.each<[string, (ca: string, other: string) => string]>([
		['pasted in one line', (ca) => oneLine(ca)],
		['that lost its line ends', (ca) => ca.replaceAll('\n', '')],
		['copied out of JSON', (ca) => JSON.stringify(ca).slice(1, -1)],
		['with Windows line ends and blanks around it', (ca) => `\n  ${ca.replaceAll('\n', '\r\n')}  `],
		['as the second of two', (ca, other) => `${other}\n${ca}`],
		['as the second of two, pasted in one line', (ca, other) => oneLine(`${other}\n${ca}`)],
		['behind a comment', (ca) => `# our authority\n${ca}`],
	])('a certificate of the authority %s', async (_name, written) => {
		const { outcome } = await call(pem.server, { ca: written(pem.ca, (await authority('Other')).ca) });
		expect(await outcome).toEqual(answer.body);
	});

	test.each(['untrusted', 'expired', 'wrongHost'] as const)(
		'anyone when told to accept any certificate: %s',
		async (kind) => {
			const { outcome } = await call(pem[kind], { rejectUnauthorized: false });
			expect(await outcome).toEqual(answer.body);
		},
	);

	test('the same API node over one connection', async () => {
		const { chaos, client, outcome } = await call(pem.server, { ca: pem.ca });
		await outcome;
		for (let i = 0; i < 20; i++) await client.predictRecord('e', {});
		expect(chaos.connections).toBe(1);
	});
});

describe('the client refuses a certificate once, with a reason and advice, when it is', () => {
	test.each<[string, () => ChaosOptions['tls'], () => TlsOptions, string, RegExp, RegExp]>([
		[
			'an unknown authority',
			() => pem.untrusted,
			() => ({}),
			'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
			/unable to verify/,
			/certificate of the private certificate authority \(CA\) to the trusted certificates/,
		],
		[
			'another authority than the one given',
			() => pem.untrusted,
			() => ({ ca: pem.ca }),
			'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
			/unable to verify/,
			/private certificate authority/,
		],
		[
			'a certificate of another host',
			() => pem.wrongHost,
			() => ({ ca: pem.ca }),
			'ERR_TLS_CERT_ALTNAME_INVALID',
			/127\.0\.0\.1/,
			/host name that the certificate was issued for/,
		],
		['an expired certificate', () => pem.expired, () => ({ ca: pem.ca }), 'CERT_HAS_EXPIRED', /expired/, /Renew/],
	])('%s', async (_name, served, given, code, detail, advice) => {
		const { chaos, outcome } = await call(served(), given());
		const error = await failureOf(outcome);

		expect(error).toBeInstanceOf(ConnectionError);
		expect(error).toMatchObject({ sent: false, permanent: true });
		expect(error.summary).toBe(`The certificate of 127.0.0.1:${chaos.port} was not accepted`);
		expect(error).toMatchObject({ instance: `127.0.0.1:${chaos.port}`, attempts: 1, code });
		expect(error.detail).toMatch(detail);
		expect(error.advice).toMatch(advice);
		expect([chaos.connections, chaos.requests.length]).toEqual([1, 0]);
	});
});

describe('mutual TLS', () => {
	const wanted = (version: 'TLSv1.2' | 'TLSv1.3') => ({
		...pem.server,
		ca: pem.ca,
		requestCert: true,
		rejectUnauthorized: true,
		minVersion: version,
		maxVersion: version,
	});

	test.each(['TLSv1.2', 'TLSv1.3'] as const)(
		'shows the client certificate that a server wants: %s',
		async (version) => {
			const { cert, key } = pem.client;
			expect(await (await call(wanted(version), { ca: pem.ca, cert, key })).outcome).toEqual(answer.body);
		},
	);

	test('decrypts an encrypted key with its passphrase', async () => {
		const { cert, key, passphrase } = pem.encryptedClient;
		expect(await (await call(wanted('TLSv1.3'), { ca: pem.ca, cert, key, passphrase })).outcome).toEqual(answer.body);
	});

	test('accepts certificate and key pasted in one line, also an encrypted key', async () => {
		for (const { cert, key, ...rest } of [pem.client, pem.encryptedClient]) {
			const options = { ca: oneLine(pem.ca), cert: oneLine(cert), key: oneLine(key), ...rest };
			expect(await (await call(wanted('TLSv1.3'), options)).outcome).toEqual(answer.body);
		}
	});

	test('finds the certificate in a file that also contains the key', async () => {
		const { cert, key } = pem.client;
		const { outcome } = await call(wanted('TLSv1.3'), { ca: pem.ca, cert: `${key}\n${cert}`, key });
		expect(await outcome).toEqual(answer.body);
	});

	test('decrypts an old-style key pasted in one line', async () => {
		const { cert, key, passphrase } = pem.encryptedClient;
		const old = createPrivateKey({ key, passphrase }).export({
			type: 'sec1',
			format: 'pem',
			cipher: 'aes-256-cbc',
			passphrase,
		});
		expect(old).toContain('Proc-Type');
		const tls = { ca: pem.ca, cert, key: oneLine(String(old)), passphrase };
		expect(await (await call(wanted('TLSv1.3'), tls)).outcome).toEqual(answer.body);
	});

	test('ignores a passphrase when the key needs none', async () => {
		const { cert, key } = pem.client;
		const { outcome } = await call(wanted('TLSv1.3'), { ca: pem.ca, cert, key, passphrase: 'not needed' });
		expect(await outcome).toEqual(answer.body);
	});

	test.each(['TLSv1.2', 'TLSv1.3'] as const)(
		'says that a client certificate may be wanted where none was given: %s',
		async (version) => {
			const { chaos, outcome } = await call(wanted(version), { ca: pem.ca });
			const error = await failureOf(outcome);
			expect(error).toBeInstanceOf(ConnectionError);
			expect(`${error.message} ${error.advice}`).toMatch(/client certificate/);
			expect(error.advice).not.toMatch(/private certificate authority/);
			expect(chaos.requests).toHaveLength(0);
		},
	);

	test.each(['TLSv1.2', 'TLSv1.3'] as const)(
		'says that the client certificate may be the wrong one: %s',
		async (version) => {
			const { cert, key } = pem.untrustedClient;
			const { chaos, outcome } = await call(wanted(version), { ca: pem.ca, cert, key });
			const error = await failureOf(outcome);
			expect(error).toBeInstanceOf(ConnectionError);
			expect(`${error.message} ${error.advice}`).toMatch(/client certificate/);
			expect(chaos.requests).toHaveLength(0);
		},
	);

	test('works with the embedded API node, which requires a certificate and a key', async () => {
		const node: ApiNode = await startApiNode({
			tls: { ...pem.server, ca: pem.ca, requestCert: true, rejectUnauthorized: true },
		});
		const { cert, key } = pem.client;
		const client = stage.client({
			url: node.url,
			serviceId: 'demo',
			apiKey: 'demo-key',
			tls: { ca: pem.ca, cert, key },
		});
		try {
			expect(await client.runFunction('add', { a: 2, b: 3 })).toMatchObject({ response: 5 });
		} finally {
			await client.destroy();
			await node.close();
		}
	});
});

describe('a client cannot be created', () => {
	const unmade = (tls: TlsOptions) => {
		try {
			void stage.client({ url: 'https://127.0.0.1:1', tls });
		} catch (error) {
			expect(error).toBeInstanceOf(InvalidCallError);
			return (error as Error).message;
		}
		throw new Error('The client was made');
	};

	test.each<[string, () => TlsOptions, RegExp]>([
		[
			'an authority that is no PEM',
			() => ({ ca: 'our authority' }),
			/^The CA certificate could not be read: paste it as PEM text, from '-----BEGIN'/,
		],
		['an authority cut short', () => ({ ca: pem.ca.slice(0, 200) }), /^The CA certificate/],
		[
			'an authority of which the second part is broken',
			() => ({ ca: `${pem.ca}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n` }),
			/^The CA certificate/,
		],
		['a private key in place of the authority', () => ({ ca: pem.client.key }), /^The CA certificate/],
		[
			'a client certificate that is no PEM',
			() => ({ cert: 'x', key: pem.client.key }),
			/^The client certificate could not be read/,
		],
		[
			'a key that is no PEM',
			() => ({ cert: pem.client.cert, key: 'x' }),
			/^The private key \(or its passphrase\) could not be read/,
		],
		[
			'an encrypted key without its passphrase',
			() => ({ cert: pem.encryptedClient.cert, key: pem.encryptedClient.key }),
			/^The private key \(or its passphrase\)/,
		],
		[
			'an encrypted key with another passphrase',
			() => ({ ...pem.encryptedClient, passphrase: 'sesame' }),
			/^The private key \(or its passphrase\)/,
		],
		[
			'a client certificate without its key',
			() => ({ cert: pem.client.cert }),
			/^The client certificate needs its private key too$/,
		],
		[
			'a key without its certificate',
			() => ({ key: pem.client.key }),
			/^The client certificate needs the certificate itself too$/,
		],
		[
			'a key of another certificate',
			() => ({ cert: pem.client.cert, key: pem.server.key }),
			/^The private key does not match the client certificate$/,
		],
	])('with %s, and the message names it', (_name, options, words) => {
		const message = unmade(options());
		expect(message).toMatch(words);
		expect(message).not.toMatch(/sesame|MII/);
	});

	test('except with blank fields, which are ignored', () => {
		expect(() =>
			stage.client({ url: 'https://127.0.0.1:1', tls: { ca: ' ', cert: '', key: '', passphrase: '' } }),
		).not.toThrow();
	});
});

describe('the wrong scheme in the URL', () => {
	test('gives advice on https when http meets a TLS port', async () => {
		const chaos = await stage.chaos({ tls: pem.server });
		const error = await failureOf(
			stage.client({ url: chaos.url.replace('https', 'http') }).predictRecord('e', {}, brief),
		);
		expect(error).toBeInstanceOf(ConnectionError);
		expect(error.advice).toContain('Check whether the URL must begin with http or https');
		expect(chaos.requests).toHaveLength(0);
	});

	test('gives advice on http when https meets a port without TLS', async () => {
		const chaos = await stage.chaos();
		const error = await failureOf(
			stage.client({ url: chaos.url.replace('http', 'https') }).predictRecord('e', {}, brief),
		);
		expect(error).toBeInstanceOf(ConnectionError);
		expect(error.advice).toContain('Check whether the URL must begin with http or https');
		expect(chaos.requests).toHaveLength(0);
	});
});
