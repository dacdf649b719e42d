import { generate } from 'selfsigned';

/** A certificate and its private key, as PEM. */
export interface Certificate {
	cert: string;
	key: string;
}

interface Issue {
	/** DNS names and IP addresses that the certificate is good for. */
	names?: string[];
	from?: Date;
	to?: Date;
	/** Encrypts the private key. */
	passphrase?: string;
}

export interface Authority {
	/** What a client must trust to trust everything that this authority issued. */
	ca: string;
	server(issue?: Issue): Promise<Certificate>;
	client(issue?: Issue): Promise<Certificate>;
}

export interface Certificates {
	/** The authority behind all of these but `untrusted`. */
	ca: string;
	/** Good for localhost and 127.0.0.1. */
	server: Certificate;
	expired: Certificate;
	/** Good for another host. */
	wrongHost: Certificate;
	/** Good for localhost and 127.0.0.1, issued by an authority that nobody knows. */
	untrusted: Certificate;
	client: Certificate;
	/** Its key needs the passphrase. */
	encryptedClient: Certificate & { passphrase: string };
	/** A client that the server's authority did not issue. */
	untrustedClient: Certificate;
}

// a second per RSA key is too much for a test
const ELLIPTIC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;
const DAY = 24 * 60 * 60 * 1000;
const LOOPBACK = ['localhost', '127.0.0.1'];
const IPV4 = /^\d+(\.\d+){3}$/;

/** A private certificate authority with a fresh key. */
export async function authority(name = 'Private authority'): Promise<Authority> {
	const root = await generate(named(name), {
		...ELLIPTIC,
		extensions: [
			{ name: 'basicConstraints', cA: true, critical: true },
			{ name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
		],
	});

	const issue = async (usage: 'serverAuth' | 'clientAuth', commonName: string, options: Issue) => {
		const {
			names = LOOPBACK,
			from = new Date(Date.now() - DAY),
			to = new Date(Date.now() + DAY),
			passphrase,
		} = options;
		const issued = await generate(named(commonName), {
			...ELLIPTIC,
			ca: { key: root.private, cert: root.cert },
			notBeforeDate: from,
			notAfterDate: to,
			passphrase,
			extensions: [
				{ name: 'basicConstraints', cA: false, critical: true },
				{ name: 'keyUsage', digitalSignature: true, critical: true },
				{ name: 'extKeyUsage', [usage]: true },
				{
					name: 'subjectAltName',
					altNames: names.map((value) => (IPV4.test(value) ? { type: 7, ip: value } : { type: 2, value })),
				},
			],
		});
		return { cert: issued.cert, key: issued.private };
	};

	return {
		ca: root.cert,
		server: async (options = {}) => await issue('serverAuth', 'API node', options),
		client: async (options = {}) => await issue('clientAuth', 'API client', options),
	};
}

/** One of every kind that a client meets. */
export async function certificates(): Promise<Certificates> {
	const known = await authority();
	const unknown = await authority('Unknown authority');
	const passphrase = 'open sesame';
	return {
		ca: known.ca,
		server: await known.server(),
		expired: await known.server({ from: new Date(Date.now() - 2 * DAY), to: new Date(Date.now() - DAY) }),
		wrongHost: await known.server({ names: ['elsewhere.example'] }),
		untrusted: await unknown.server(),
		client: await known.client(),
		encryptedClient: { ...(await known.client({ passphrase })), passphrase },
		untrustedClient: await unknown.client(),
	};
}

const named = (value: string) => [{ name: 'commonName', value }];
