import { createPrivateKey, X509Certificate } from 'node:crypto';
import tls, { createSecureContext, rootCertificates } from 'node:tls';
import { InvalidCallError } from '../errors';
import type { TlsOptions } from '../options';

/** Restores line breaks, which one-line input fields and JSON turn into spaces, nothing, or a backslash with an n. */
function pem(text: string | undefined): string | undefined {
	return text
		?.trim()
		.replaceAll('\\n', '\n')
		.replace(
			/(-----BEGIN [A-Z0-9 ]+-----)\s*(?:(Proc-Type: 4,ENCRYPTED)\s+(DEK-Info: \S+)\s)?([^-]+)(-----END [A-Z0-9 ]+-----)\s*/g,
			(_all, begin: string, encrypted: string | undefined, cipher: string, base64: string, end: string) =>
				[begin, ...(encrypted ? [encrypted, cipher, ''] : []), ...base64.trim().split(/\s+/), end, ''].join('\n'),
		);
}

function check(what: string, read: () => unknown) {
	try {
		read();
	} catch {
		throw unreadable(what);
	}
}

/** All certificates of a text: X509Certificate reads only the first one. */
function certificatesIn(text: string): X509Certificate[] {
	const blocks = text.match(/-----BEGIN ([A-Z0-9]+ )?CERTIFICATE-----[^-]*-----END [^-]+-----/g) ?? [text];
	return blocks.map((block) => new X509Certificate(block));
}

function unreadable(what: string): InvalidCallError {
	return new InvalidCallError(
		`The ${what} could not be read: paste it as PEM text, from '-----BEGIN' to '-----END' inclusive`,
	);
}

/** Certificates that Node.js trusts by default. Before Node.js 22.15, NODE_EXTRA_CA_CERTS is missing. */
function trusted(): readonly string[] {
	const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] };
	return getCACertificates?.('default') ?? rootCertificates;
}

/**
 * Options for Node.js's TLS sockets. All connections share one context, because Node.js would parse the certificates for
 * each.
 *
 * @throws InvalidCallError when a text is not PEM, or the client certificate is incomplete
 */
export function tlsSocketOptions(options: TlsOptions) {
	const [ca, cert, key] = [pem(options.ca), pem(options.cert), pem(options.key)];
	const passphrase = options.passphrase || undefined;
	if (ca) check('CA certificate', () => certificatesIn(ca));
	if (cert) check('client certificate', () => certificatesIn(cert));
	if (key) check('private key (or its passphrase)', () => createPrivateKey({ key, passphrase }));
	if (Boolean(cert) !== Boolean(key)) {
		throw new InvalidCallError(
			`The client certificate needs ${cert ? 'its private key' : 'the certificate itself'} too`,
		);
	}
	if (cert && key && !certificatesIn(cert)[0]!.checkPrivateKey(createPrivateKey({ key, passphrase }))) {
		throw new InvalidCallError('The private key does not match the client certificate');
	}
	const secureContext = createSecureContext({
		...(ca && { ca: [...trusted(), ca] }),
		...(cert && { cert, key, passphrase }),
	});
	return { secureContext, rejectUnauthorized: options.rejectUnauthorized ?? true };
}
