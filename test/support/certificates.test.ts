import { request, Pool } from 'undici';
import { certificates, type Certificates } from './certificates';
import { chaosProxy, type ChaosProxy } from './chaosProxy';

describe('certificates', () => {
	let pems: Certificates;
	let server: ChaosProxy | undefined;
	let pool: Pool | undefined;

	beforeAll(async () => (pems = await certificates()));
	afterEach(async () => {
		await pool?.destroy();
		await server?.close();
		pool = server = undefined;
	});

	const ask = async (
		tls: NonNullable<Parameters<typeof chaosProxy>[0]>['tls'],
		connect: Pool.Options['connect'],
		host = '127.0.0.1',
	) => {
		server = await chaosProxy({ tls });
		pool = new Pool(`https://${host}:${server.port}`, { connect });
		const answer = await pool.request({ method: 'GET', path: '/' });
		await answer.body.dump();
		return answer.statusCode;
	};

	it.each(['127.0.0.1', 'localhost'])(
		'make a server that a client trusts at %s when the client knows the authority',
		async (host) => {
			expect(await ask(pems.server, { ca: pems.ca }, host)).toBe(200);
		},
	);

	it.each([
		['untrusted', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
		['wrongHost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
		['expired', 'CERT_HAS_EXPIRED'],
	] as const)('make a server whose certificate is %s', async (kind, code) => {
		await expect(ask(pems[kind], { ca: pems.ca })).rejects.toMatchObject({ code });
	});

	it('are not trusted when the client does not know the authority', async () => {
		server = await chaosProxy({ tls: pems.server });
		await expect(request(server.url)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
	});

	describe('where the server requires a client certificate', () => {
		const mutual = () => ({ ...pems.server, ca: pems.ca, requestCert: true, rejectUnauthorized: true });

		it('let a client in when it has a certificate with an encrypted or a plain key', async () => {
			expect(await ask(mutual(), { ca: pems.ca, ...pems.client })).toBe(200);
			await pool?.destroy();
			await server?.close();
			expect(await ask(mutual(), { ca: pems.ca, ...pems.encryptedClient })).toBe(200);
		});

		it('keep a client out when it has no certificate, or one of an unknown authority', async () => {
			const refused = { code: expect.stringMatching(/UND_ERR_SOCKET|ECONNRESET|ERR_SSL/) };
			await expect(ask(mutual(), { ca: pems.ca })).rejects.toMatchObject(refused);
			await pool?.destroy();
			await server?.close();
			await expect(ask(mutual(), { ca: pems.ca, ...pems.untrustedClient })).rejects.toMatchObject(refused);
		});

		it('need the passphrase when the key is encrypted', async () => {
			const { cert, key } = pems.encryptedClient;
			await expect(ask(mutual(), { ca: pems.ca, cert, key, passphrase: 'wrong' })).rejects.toThrow(/bad decrypt/i);
		});
	});
});
