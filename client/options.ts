import type { ClientEvent, Credential } from './traffic/Caller';
import type { ResponseHead } from './types';

/** TLS settings. All texts are PEM. */
export interface TlsOptions {
	/** Certificates of private authorities, trusted in addition to Node.js's own. */
	ca?: string;
	/** Client certificate with its chain, for mutual TLS. */
	cert?: string;
	/** Private key of the client certificate. */
	key?: string;
	passphrase?: string;
	/** false accepts any certificate. Default: true. */
	rejectUnauthorized?: boolean;
}

/** As `LookupFunction` of `node:net`. Defined here, so that users of the types do not need those of Node.js. */
export type Lookup = (
	hostname: string,
	options: { family?: number | 'IPv4' | 'IPv6'; hints?: number; all?: boolean },
	callback: (
		error: Error | null,
		address: string | Array<{ address: string; family: number }>,
		family?: number,
	) => void,
) => void;

export interface ConnectionOptions {
	/** Milliseconds to open a connection, including TLS and proxy. Default: 5,000. */
	connectTimeout?: number;
	tls?: TlsOptions;
	/** Replaces Node.js's name lookup, for example to filter addresses. */
	lookup?: Lookup;
}

export interface TransportOptions extends ConnectionOptions, Credential {
	/** URL of the API node, with or without a path prefix. Several instances are given as a list, or separated by commas. */
	url: string | readonly string[];
	/** Receives the events of all sessions, such as retries. */
	onEvent?: (event: ClientEvent) => void;
}

/**
 * Settings of one call. The defaults suit an API node with default settings. A credential given here replaces those of
 * session and client, because another service needs another key.
 */
export interface CallOptions extends Credential {
	/**
	 * Milliseconds for one attempt. Default: 30,000. It should be longer than the 10 s that a request may spend in the API
	 * node's queue.
	 */
	timeout?: number;
	/**
	 * Milliseconds for all attempts, the pauses between them, and the wait for an endpoint that does not respond. Waiting
	 * behind calls that are served does not count. Default: four times `timeout`.
	 */
	deadline?: number;
	/** The caller's requests in flight per endpoint and instance. Default: 8, the size of an API node's default pool. */
	maxConcurrency?: number;
	/**
	 * Attempts per request. 1 disables retries. An attempt with a new token after a 401 does not count. Default: 4 while
	 * the endpoint responds to other requests. While it responds to none, time limits the attempts.
	 */
	maxAttempts?: number;
	/**
	 * Bytes of a decoded response. Default: 64 MiB. For predictions, effects and lookups, 4 MiB plus 256 KiB per record if
	 * that is less.
	 */
	maxResponseBytes?: number;
	/** Ends the call with a CancelledError, at any stage. */
	signal?: AbortSignal;
	/** ID of another service of the same API node. */
	serviceId?: string;
	/**
	 * Additional request headers, for functions and custom models that read them. Credentials (`authorization`, `cookie`)
	 * and headers that the client sets (`content-type`, `host`, …) are refused.
	 */
	headers?: Readonly<Record<string, string>>;
	/** Receives status and headers of the response that the call resolves with. */
	onResponse?: (head: ResponseHead) => void;
}
