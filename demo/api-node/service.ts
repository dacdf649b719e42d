import { createHash } from 'node:crypto';
import type { Endpoint, Field } from './endpoint';
import { badRequest, notFound, unauthorized } from './errors';
import { isObject, type JsonObject } from './json';

export type Authentication =
	| { type: 'none' }
	| { type: 'apiKey'; keys: string[] }
	| { type: 'bearerToken'; accepts: (token: string) => boolean | Promise<boolean> };

/** The user name of HTTP Basic, which contains the key. */
export function basicUser(authorization = ''): string | undefined {
	const encoded = /^basic (.*)/i.exec(authorization)?.[1];
	return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString().split(':', 1)[0];
}

/** A version of a service. If several are live, each gets its share of the requests. */
interface Generation {
	id: string;
	probability: number;
	endpoints: Endpoint[];
}

/** The changes in a new deployment of an endpoint. */
export interface Redeployment {
	/** The endpoint whose model is used from now on. */
	modelOf?: string;
	/** The documented fields. */
	fields?: Field[];
}

export class Service {
	constructor(
		readonly id: string,
		readonly authentication: Authentication,
		/** At least one, the newest last. */
		readonly generations: Generation[],
	) {}

	async authorize(authorization = ''): Promise<void> {
		const { authentication } = this;
		if (authentication.type === 'none') return;
		const token = /^bearer (.*)/i.exec(authorization)?.[1];
		if (authentication.type === 'apiKey') {
			// The API Deployer's sample code sends the key as a bearer token.
			const key = basicUser(authorization) ?? token;
			if (key === undefined) throw unauthorized(`Service ${this.id} needs an API key`);
			if (!authentication.keys.includes(key)) throw unauthorized(`Unknown API key for service ${this.id}`);
			return;
		}
		if (token === undefined) throw unauthorized(`Service ${this.id} needs a bearer token`);
		if (!(await authentication.accepts(token))) throw unauthorized(`Bearer token not valid for service ${this.id}`);
	}

	/** Requests with the same dispatch key always get the same generation. */
	dispatch(dispatch: unknown): Generation {
		const { forcedGeneration, dispatchKey }: JsonObject = isObject(dispatch) ? dispatch : {};
		if (forcedGeneration !== null && forcedGeneration !== undefined) {
			const forced = this.generations.find(({ id }) => id === forcedGeneration);
			if (!forced) throw badRequest(`Service ${this.id} has no generation ${JSON.stringify(forcedGeneration)}`);
			return forced;
		}
		let left = dispatchKey === null || dispatchKey === undefined ? Math.random() : share(String(dispatchKey));
		const chosen = this.generations.find(({ probability }) => (left -= probability) < 0);
		return chosen ?? this.newest;
	}

	/** Sends all requests to this generation, except those that force another one. */
	activate(id: string): void {
		for (const generation of this.generations) generation.probability = generation.id === id ? 1 : 0;
	}

	/** Deploys an endpoint again in each generation that has it, under the same name. */
	redeploy(id: string, { modelOf, fields }: Redeployment): void {
		for (const generation of this.generations) {
			const model = modelOf === undefined ? {} : { actions: this.endpoint(generation, modelOf).actions };
			const changes = { ...model, ...(fields && { fields }) };
			generation.endpoints = generation.endpoints.map((each) => (each.id === id ? { ...each, ...changes } : each));
		}
	}

	get newest(): Generation {
		return this.generations.at(-1)!;
	}

	endpoint(generation: Generation, id: string): Endpoint {
		const endpoint = generation.endpoints.find((candidate) => candidate.id === id);
		if (!endpoint) throw notFound(`Service ${this.id} (${generation.id}) has no endpoint ${JSON.stringify(id)}`);
		return endpoint;
	}
}

function share(key: string): number {
	return createHash('sha1').update(key).digest().readUInt32BE() / 2 ** 32;
}
