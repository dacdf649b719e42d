import { decoded } from '../decoded';
import { InvalidCallError } from '../errors';
import { pasted } from './pasted';

/** The address of one instance: the origin to connect to, the path prefix before `/public`, and host:port for messages. */
export interface Location {
	origin: string;
	prefix: string;
	host: string;
	/** The IDs in a pasted URL `…/public/api/v1/<service>/<endpoint>/predict`. They are used only for messages. */
	serviceId?: string;
	endpointId?: string;
}

/**
 * @param urls URLs of the instances, as a text with commas or as a list, with or without a path prefix. What follows the
 *   prefix in the URL of an endpoint, as Dataiku shows it for copying, is ignored.
 * @throws InvalidCallError for a text that is not an http or https URL
 */
export function parseLocations(urls: string | readonly string[]): Location[] {
	const texts = (typeof urls === 'string' ? urls.split(',') : urls).map(pasted).filter(Boolean);
	if (texts.length === 0) throw new InvalidCallError("The API node's URL is missing");
	const locations = texts.map((text, index) =>
		parseLocation(text, texts.length > 1 ? `URL number ${index + 1} of the API node` : "The API node's URL"),
	);
	const found = locations.map(({ origin, prefix }) => origin + prefix);
	// An instance whose URL is given twice is one instance, with one limit on requests.
	return locations.filter((_each, n) => found.indexOf(found[n]!) === n);
}

/** @param which name of the URL for messages, which do not show the text itself, because people paste URLs with passwords */
export function parseLocation(text: string, which: string): Location {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
		throw new InvalidCallError(
			`${which} must look like https://host:port. It can also start with http:// and contain a path, but it must not contain a username, a password, ? or #`,
		);
	}
	const port = url.port || (url.protocol === 'https:' ? '443' : '80');
	const { pathname } = url;
	const at = pathname.search(/\/public\/api(\/v1(\/|$)|\/*$)/);
	const prefix = (at < 0 ? pathname : pathname.slice(0, at)).replace(/(?<!\/)\/+$/, '');
	const [serviceId, endpointId] = at < 0 ? [] : pathname.slice(at).split('/').slice(4, 6).map(idOf);
	return { origin: url.origin, prefix, host: `${url.hostname}:${port}`, serviceId, endpointId };
}

/**
 * Parses the URL of an endpoint as the API Deployer shows it for copying.
 *
 * @throws InvalidCallError when it names no endpoint, or belongs to none of the instances, to which no key must be sent
 */
export function parseEndpointUrl(
	text: string,
	instances: readonly Location[],
): { serviceId: string; endpointId: string } {
	const { origin, prefix, host, serviceId, endpointId } = parseLocation(pasted(text), "The endpoint's URL");
	if (!instances.some((instance) => instance.origin === origin && instance.prefix === prefix)) {
		const advice = 'The key is sent only to these instances.';
		throw new InvalidCallError(`The URL points to ${host}${prefix}, which is not one of the API node's instances`, {
			advice,
		});
	}
	if (serviceId && endpointId) return { serviceId, endpointId };
	throw new InvalidCallError(
		'The URL contains no endpoint: it must look like https://host:port/public/api/v1/<service>/<endpoint>/predict',
	);
}

const idOf = (segment: string) => (segment === '' ? undefined : decoded(segment));

/** Longer than any ID that DSS allows. Such a text usually comes from an expression that returned the wrong value. */
const longestId = 500;

function pathSegment(id: unknown, what: string): string {
	const trimmed = typeof id === 'string' ? pasted(id) : '';
	if (trimmed === '') throw new InvalidCallError(`The ${what} is missing`);
	if (trimmed.length > longestId) {
		throw new InvalidCallError(`The ${what} is too long: it can have at most ${longestId} characters`);
	}
	if (trimmed === '.' || trimmed === '..' || /[/\\]/.test(trimmed)) {
		throw new InvalidCallError(
			`The ${what} '${trimmed}' is not a valid ID: it cannot contain a slash, and cannot be '.' or '..'`,
		);
	}
	// A lone surrogate cannot be URL-encoded.
	if (/\p{Surrogate}/u.test(trimmed)) throw new InvalidCallError(`The ${what} '${trimmed}' is not a valid ID`);
	return encodeURIComponent(trimmed);
}

export function servicePath(serviceId: string): string {
	return `/public/api/v1/${pathSegment(serviceId, 'service ID')}`;
}

export function endpointPath(serviceId: string, endpointId: string): string {
	return `${servicePath(serviceId)}/${pathSegment(endpointId, 'endpoint ID')}`;
}

export function deploymentPath(deploymentId: string): string {
	return `/public/api/api-deployer/deployments/${pathSegment(deploymentId, 'deployment ID')}`;
}
