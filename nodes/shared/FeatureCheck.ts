import { setImmediate } from 'node:timers';
import { setTimeout as wait } from 'node:timers/promises';
import {
	CancelledError,
	type DocumentedEndpoint,
	type EndpointSchema,
	fieldWords,
	InvalidCallError,
	type JsonObject,
	misfitCheck,
	misfitWords,
	type OperationName,
	StatusError,
} from '../../client';
import type { Connection } from './connection';
import { isDue, knownDocument, readDocument, readSoon } from './documents';
import type { EndpointPlace } from './nodeErrors';
import { operationNames } from './operations';
import { choice, type Parameters, type Reader } from './parameters';

/** How long a run waits for a document that it must have, in ms. */
const longestWait = 5_000;
/** Different misfits that are told apart, and those that a hint shows. */
const mostMisfits = 1_000;
const mostShown = 5;

/** Words for what does not fit of a record. */
type Check = (record: JsonObject) => readonly string[];
const none: readonly string[] = [];
/** Kept as long as their document, with what they remember of names. */
const checkOfSchema = new WeakMap<EndpointSchema, Check>();

function checkOf(schema: EndpointSchema): Check {
	const misfitsOf = misfitCheck(schema);
	return (record) => {
		const misfits = misfitsOf(record);
		return misfits.length === 0 ? none : misfits.map((each) => misfitWords(each, schema));
	};
}

/** What the service's OpenAPI document says of the records of one execution, and of its errors. */
export class FeatureCheck {
	private readonly modeOf: Reader<string>;
	private readonly checks = new Map<string, Check>();
	private last: { target: EndpointPlace; check: Check } | undefined;
	private readonly waited = new Set<string | undefined>();
	private readonly misfits = new Map<string, number>();
	private items = 0;
	private unchecked = false;

	constructor(
		private readonly connection: Connection,
		private readonly operation: OperationName,
		private readonly parameters: Parameters,
		private readonly stopped: AbortSignal,
	) {
		const mode = parameters.reader('options.checkFeatures', parameters.asTool ? 'error' : 'warn');
		this.modeOf = choice(mode, 'Check Features', ['warn', 'error', 'off']);
	}

	/**
	 * A promise where an item must wait for the document, once in an execution; a run that only warns never does. It rejects
	 * with CancelledError when the run is stopped meanwhile.
	 */
	pending(itemIndex: number, { serviceId }: EndpointPlace): Promise<void> | undefined {
		if (this.modeOf(itemIndex) !== 'error' || this.waited.has(serviceId)) return undefined;
		this.waited.add(serviceId);
		if (knownDocument(this.connection, serviceId)?.document || !isDue(this.connection, serviceId)) return undefined;
		const longest = wait(longestWait, undefined, { ref: false, signal: this.stopped }).catch(cancelled);
		return Promise.race([readDocument(this.connection, serviceId), longest]).then(() => {
			this.checks.clear();
			this.last = undefined;
		});
	}

	/**
	 * Holds an item's record against the document.
	 *
	 * @throws InvalidCallError for one that does not fit, where that is to be an error
	 */
	check(itemIndex: number, target: EndpointPlace, made: JsonObject | readonly JsonObject[]): void {
		const mode = this.modeOf(itemIndex);
		if (mode === 'off') return;
		this.items++;
		const check = this.checkFor(target);
		const texts = Array.isArray(made) ? made.flatMap(check) : check(made as JsonObject);
		if (texts.length === 0) return;
		if (mode === 'error') throw misfit([...new Set(texts)], this.exampleOf(target));
		for (const text of new Set(texts)) {
			if (this.misfits.has(text) || this.misfits.size < mostMisfits) {
				this.misfits.set(text, (this.misfits.get(text) ?? 0) + 1);
			}
		}
	}

	/** What did not fit, most often first. */
	get hints(): string[] {
		const sorted = [...this.misfits].sort(([, a], [, b]) => b - a);
		const shown = sorted.slice(0, mostShown).map(([text, count]) => `${count} of ${this.items} items: ${text}`);
		const others = sorted.length - shown.length;
		return [
			...shown,
			...(others > 0 ? [`${others} other misfits`] : []),
			...(this.unchecked ? ['The features were not checked: no OpenAPI document that can be read tells them'] : []),
		];
	}

	/** What the document adds to an error: what there is in place of an unknown endpoint, how a record looks that is not refused. */
	adviceOn(error: unknown, target?: EndpointPlace): string | undefined {
		if (!(error instanceof StatusError) || !target || ![400, 404, 422, 500].includes(error.status)) return undefined;
		const endpoints = knownDocument(this.connection, target.serviceId)?.document?.endpoints ?? [];
		const same = endpoints.filter(({ id }) => id === target.endpointId);
		if (same.length > 0 && same.every(({ operation }) => operation !== this.operation)) {
			const { kind, node } = operationNames[same[0]!.operation];
			return `'${target.endpointId}' is ${kind}: use ${node}.`;
		}
		if (error.status === 404) return this.listOf(endpoints);
		const example = this.exampleOf(target);
		return example && `A record looks like ${example}.`;
	}

	/** For a model that called the node as a tool: what to call it with instead. */
	expectationOn(error: unknown, target: EndpointPlace | undefined): string | undefined {
		const schema = target && this.schemaOf(target);
		const ofRecord =
			error instanceof InvalidCallError || (error instanceof StatusError && [400, 422, 500].includes(error.status));
		if (!schema || schema.fields.length === 0 || !ofRecord) return this.adviceOn(error, target);
		const example = this.exampleOf(target);
		return [
			`'${schema.id}' expects ${fieldWords(schema)}.`,
			this.operation === 'forecast' && 'The whole history is a list of such records, one for each date.',
			example && `For example: ${example}.`,
		]
			.filter(Boolean)
			.join(' ');
	}

	private checkFor(target: EndpointPlace): Check {
		if (this.last?.target === target) return this.last.check;
		const key = JSON.stringify([target.serviceId, target.endpointId]);
		let check = this.checks.get(key);
		if (!check) this.checks.set(key, (check = this.makeCheck(target)));
		this.last = { target, check };
		return check;
	}

	private makeCheck(target: EndpointPlace): Check {
		// The first request goes before it.
		setImmediate(() => readSoon(this.connection, target.serviceId));
		const schema = this.schemaOf(target);
		if (!schema || schema.fields.length === 0) {
			if (this.waited.has(target.serviceId) && !this.parameters.asTool) this.unchecked = true;
			return () => none;
		}
		let check = checkOfSchema.get(schema);
		if (!check) checkOfSchema.set(schema, (check = checkOf(schema)));
		return check;
	}

	private schemaOf({ endpointId = '', serviceId }: EndpointPlace): EndpointSchema | undefined {
		return knownDocument(this.connection, serviceId)?.document?.schemaOf(endpointId, this.operation);
	}

	private exampleOf(target: EndpointPlace): string | undefined {
		const example = this.schemaOf(target)?.example;
		const text = example && JSON.stringify(example);
		return text && text.length <= 500 ? text : undefined;
	}

	private listOf(endpoints: readonly DocumentedEndpoint[]): string | undefined {
		const ids = endpoints.filter(({ operation }) => operation === this.operation).map(({ id }) => id);
		if (ids.length === 0) return undefined;
		const more = ids.length > 10 ? ` and ${ids.length - 10} more` : '';
		return `Endpoints for this node: ${ids.slice(0, 10).join(', ')}${more}.`;
	}
}

function cancelled(): never {
	throw new CancelledError();
}

function misfit(texts: string[], example: string | undefined): InvalidCallError {
	const [first = '', ...others] = texts;
	const message = [`${first.charAt(0).toUpperCase()}${first.slice(1)}`, ...others].join('; ');
	return new InvalidCallError(message, { advice: example && `A record looks like ${example}.` });
}
