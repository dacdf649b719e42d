import {
	type ApiNodeError,
	ConnectionError,
	InvalidCallError,
	ResponseError,
	StatusError,
	TimeoutError,
} from './errors';
import { listOf, own } from './openapi/SchemaParts';
import type { CallOptions, ConnectionOptions } from './options';
import { shortened } from './shortened';
import { Caller } from './traffic/Caller';
import { Transport } from './traffic/Transport';
import { keyAuthorization } from './wire/authorization';
import { callHeaders } from './wire/callHeaders';
import { deploymentPath, parseLocation } from './wire/location';
import { pasted, pastedSecret } from './wire/pasted';
import { type Redact, redactor } from './wire/secretHeaders';

export interface DeploymentOptions extends ConnectionOptions {
	/** URL of the DSS instance with the API Deployer, with or without a path prefix. */
	url: string;
	deploymentId: string;
	/** API key of DSS, which is not the key of the service. */
	apiKey: string;
}

type ReadOptions = Pick<CallOptions, 'timeout' | 'maxResponseBytes' | 'signal'>;

const longestText = 200;

/**
 * A deployment in the API Deployer, which has OpenAPI documents even for deployments that do not serve them, such as
 * those on Kubernetes. The key is sent only to DSS, because redirects are not followed.
 *
 * Source: Dataiku's Python client 14.3.3, `dataikuapi/dss/apideployer.py`.
 */
export class Deployment {
	/** Origin of DSS, such as `https://dss:11200`. */
	readonly origin: string;
	readonly #id: string;
	readonly #path: string;
	readonly #transport: Transport;
	readonly #redact: Redact;

	/** @throws InvalidCallError when the URL, the deployment ID or the key is invalid */
	constructor({ url, deploymentId, apiKey, ...connection }: DeploymentOptions) {
		const { origin, prefix } = parseLocation(pasted(url), 'The DSS URL');
		this.origin = origin;
		this.#id = pasted(deploymentId);
		this.#path = deploymentPath(this.#id);
		const key = pastedSecret(apiKey);
		if (key === '') throw new InvalidCallError('The DSS API key is empty');
		this.#transport = new Transport({ ...connection, url: [origin + prefix], apiKey: key });
		this.#redact = redactor(keyAuthorization(key).secrets);
	}

	/** The deployment's OpenAPI document. @throws ApiNodeError; a StatusError 404 if there is no document */
	async openApi(options: ReadOptions = {}): Promise<unknown> {
		return await this.#get('/get-open-api', options);
	}

	/** ID of the service on the API node, if DSS has it. */
	async serviceId(options: ReadOptions = {}): Promise<string | undefined> {
		const about = own(await this.#get('', options), 'deploymentBasicInfo');
		return this.#texts([own(about, 'deployedServiceId'), own(about, 'publishedServiceId')])[0];
	}

	/** URLs of the API nodes of the deployment, as far as DSS has them. */
	async urls(options: ReadOptions = {}): Promise<string[]> {
		const status = await this.#get('/status', options);
		return this.#texts([...listOf(own(status, 'apiNodes')).map((node) => own(node, 'url')), own(status, 'publicURL')]);
	}

	/** Closes all connections. */
	async destroy(): Promise<void> {
		await this.#transport.destroy();
	}

	/** Removes the key, because the texts may be shown to users. */
	#texts(values: readonly unknown[]): string[] {
		const texts = values.filter((value) => typeof value === 'string' && value !== '') as string[];
		return texts.map((text) => shortened(this.#redact(text), longestText));
	}

	async #get(what: string, options: ReadOptions): Promise<unknown> {
		const request = { path: this.#path + what, headers: callHeaders(undefined) };
		try {
			return (await this.#transport.get(request, options, new Caller({}))).value;
		} catch (error) {
			throw this.#inItsWords(error as ApiNodeError);
		}
	}

	/** Replaces advice that is about API nodes with advice about DSS. */
	#inItsWords(error: ApiNodeError): ApiNodeError {
		if (error instanceof ResponseError) {
			return error.withAdvice(
				error.reason === 'tooLarge'
					? 'Paste a smaller document into the credential instead.'
					: 'Check the DSS URL. Something other than DSS may respond at this URL.',
			);
		}
		if (error instanceof TimeoutError && error.sent) return error.withAdvice('Check that DSS is running.');
		if (error instanceof ConnectionError && error.advice !== undefined) {
			return error.withAdvice(error.advice.replace('the URL,', 'the DSS URL,').replaceAll('the API node', 'DSS'));
		}
		if (!(error instanceof StatusError)) return error;
		const meanings: Record<number, { message: string; advice: string }> = {
			401: {
				message: `${error.instance} refused the DSS API key (401)`,
				advice: 'Check the DSS API key: an API service key is not a DSS key.',
			},
			403: {
				message: `${error.instance} does not allow the DSS API key to read deployment '${this.#id}' (403)`,
				advice: 'Give the key the "Read" permission on the deployment.',
			},
			404: {
				message: `The API Deployer has no OpenAPI document for deployment '${this.#id}' (404)`,
				advice: 'Check the DSS URL and the deployment ID. Endpoints without documentation have no document.',
			},
		};
		const meaning = meanings[error.status];
		return meaning ? new StatusError(meaning.message, { ...error, advice: meaning.advice }) : error;
	}
}
