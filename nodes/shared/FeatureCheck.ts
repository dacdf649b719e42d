import { setImmediate } from 'node:timers';
import { setTimeout as wait } from 'node:timers/promises';
import {
	CancelledError,
	closeNames,
	type DocumentedEndpoint,
	type EndpointSchema,
	type FieldSchema,
	fieldNouns,
	fieldWords,
	InvalidCallError,
	isBlank,
	type JsonObject,
	listed,
	misfitCheck,
	misfitWords,
	type OperationName,
	StatusError,
} from '../../client/internal';
import type { Target } from './callSettings';
import { isDue, keyOf, knownDocument, readDocument, readSoon } from './documents';
import { Remarks } from './hints';
import type { EndpointPlace } from './nodeErrors';
import { operationNames } from './operations';
import { choice, isNone, kindWithoutJson, type Parameters, type Reader } from './parameters';
import type { RecordOrigin } from './records';
import { shortened } from './shortened';

/** How long a run waits for all documents that it requires, in ms. */
const longestWait = 5_000;
const deepest = 10;
/** Names remembered that the form does not have. A hint shows some of them. */
const mostNames = 1_000;

/** Returns sentences on how a record does not match. `origin` is the object from which the record was made. */
type Check = (record: JsonObject, origin?: JsonObject) => readonly string[];
interface EndpointCheck {
	check: Check;
	needsFields: boolean;
	/** The documented names, without numbers, whose type is checked. Records may have other fields. */
	mayBeLost?: ReadonlySet<string>;
}

interface ItemCheck {
	readonly itemIndex: number;
	readonly target: Target;
	readonly origin: RecordOrigin;
	readonly mode: string;
	readonly by: EndpointCheck;
	holdsNulls: boolean;
	/** What does not match, and the number of the first such record in the item's list. */
	texts: Map<string, number | undefined> | undefined;
}

const notChecked = 'Features not validated: no OpenAPI document is available';

const none: readonly string[] = [];
const unchecked: EndpointCheck = { check: () => none, needsFields: false };
/** Kept as long as the document, together with the names that a check remembers. */
const checkOfSchema = new WeakMap<EndpointSchema, EndpointCheck>();

function checkOf(schema: EndpointSchema): EndpointCheck {
	const misfitsOf = misfitCheck(schema);
	const others = schema.fields.filter(({ type }) => type !== 'number' && type !== 'integer');
	return {
		check(record, origin) {
			const misfits = misfitsOf(record, origin);
			return misfits.length === 0 ? none : misfits.map((each) => misfitWords(each, schema));
		},
		needsFields: schema.fields.some(({ required }) => required),
		mayBeLost: new Set(others.map(({ name }) => name)),
	};
}

/** Compares the records of one execution, and its errors, with the service's OpenAPI document. */
export class FeatureCheck {
	private readonly modeOf: Reader<string>;
	private readonly mayBeEmpty: boolean;
	private readonly undocumented: Pick<EndpointSchema, 'id' | 'operation'>;
	private readonly checks = new Map<string, EndpointCheck>();
	private last: { target: Target; form?: RecordOrigin['form']; found: EndpointCheck } | undefined;
	private longest: Promise<void> | undefined;
	/** Services whose documents were requested, and services whose documents the records must be checked with. */
	private readonly read = new Set<string>();
	private readonly awaited = new Set<string>();
	private readonly misfits = new Remarks();
	private unchecked = false;
	private readonly names = { form: new Set<string>(), found: new Set<string>(), unused: new Set<string>() };

	constructor(
		private readonly operation: OperationName,
		private readonly parameters: Parameters,
		private readonly stopped: AbortSignal,
	) {
		const mode = parameters.reader('options.checkFeatures', parameters.asTool ? 'error' : 'warn');
		this.modeOf = choice(mode, 'Check Features', ['warn', 'error', 'off']);
		this.undocumented = { id: '', operation };
		this.mayBeEmpty = operation === 'runFunction' || operation === 'sqlQuery';
	}

	/**
	 * Returns a promise if an item must wait for the document, once per execution. A run that only warns never waits. The promise
	 * rejects with CancelledError when the run is stopped.
	 */
	pending(itemIndex: number, target: Target): Promise<void> | undefined {
		return this.modeOf(itemIndex) === 'error' ? this.documentRead(target, true) : undefined;
	}

	/**
	 * Returns a promise like {@link pending} if the document is not known yet.
	 *
	 * @param forCheck whether the user is told if there is no document to check records with
	 */
	documentRead(target: Target, forCheck = false): Promise<void> | undefined {
		const { connection, serviceId } = target;
		const service = serviceOf(target);
		if (forCheck) this.awaited.add(service);
		if (this.read.has(service)) return undefined;
		this.read.add(service);
		// The document may have arrived since a check was made without it.
		this.checks.clear();
		this.last = undefined;
		if (knownDocument(connection, serviceId)?.document || !isDue(connection, serviceId)) return undefined;
		this.longest ??= wait(longestWait, undefined, { ref: false, signal: this.stopped }).catch(cancelled);
		return Promise.race([readDocument(connection, serviceId), this.longest]).then(() => {
			this.checks.clear();
			this.last = undefined;
		});
	}

	begin(itemIndex: number, target: Target, origin: RecordOrigin): ItemCheck {
		const mode = this.modeOf(itemIndex);
		const by = mode === 'off' ? unchecked : this.checkFor(target, origin.form);
		return { itemIndex, target, origin, mode, by, holdsNulls: false, texts: undefined };
	}

	/**
	 * @param n the number of the record if the item has a list
	 * @throws InvalidCallError for an empty record
	 */
	look(found: ItemCheck, record: JsonObject, n?: number): void {
		const { target, origin, by } = found;
		const content = contentOf(record);
		if (content === 'none' && (by.needsFields || !this.mayBeEmpty)) throw this.emptyRecord(target, origin, n);
		if (content === 'nulls' && !this.mayBeEmpty) {
			found.holdsNulls = true;
			note(found, misfitWords({ kind: 'empty' }, this.undocumented), n);
			return;
		}
		for (const text of by.check(record, origin.item)) note(found, text, n);
		if (found.mode === 'off') return;
		for (const field in record) {
			const lost = lostIn(record[field]);
			if (lost && (by.mayBeLost?.has(field) ?? true))
				note(found, misfitWords({ kind: 'lost', field, ...lost }, this.undocumented), n);
		}
	}

	/** @throws InvalidCallError when records that do not match are errors */
	conclude({ itemIndex, target, origin, mode, holdsNulls, texts }: ItemCheck): void {
		const isFatal = holdsNulls && this.parameters.asTool;
		if (mode === 'off' && !isFatal) return;
		if (origin.form?.byName && origin.item) this.noteNames(origin.form.fields, origin.item);
		if (!texts) return;
		if (mode === 'error' || isFatal) {
			throw misfit(
				[...texts].map(([text, n]) => text + inList(n)),
				this.exampleOf(target),
			);
		}
		for (const [text, n] of texts) this.misfits.add(text, itemIndex, n === undefined ? undefined : `record ${n}`);
	}

	/** The mismatches, most frequent first. */
	get hints(): string[] {
		const { hints } = this.misfits;
		return this.unchecked ? [...hints, notChecked] : hints;
	}

	/** The mismatches without item numbers, for a model. */
	get words(): string[] {
		return this.misfits.words;
	}

	/** Notes on fields of the items that the form left out while fields of the form found no value. */
	get notes(): string[] {
		const { form, found, unused } = this.names;
		const lacking = [...form].filter((name) => !found.has(name));
		if (lacking.length === 0 || unused.size === 0) return [];
		const [sent, noun] = [form.size - lacking.length, fieldNouns[this.operation]];
		return [
			`Sent ${sent} of ${form.size} ${noun}s. Not in the items: ${listed(lacking)}. Not used: ${listed([...unused])}`,
		];
	}

	/** The mismatches of a record if the document is known, whether records are checked or not. */
	misfitsOf(target: Target, record: JsonObject): readonly string[] {
		return this.schemaOf(target) ? this.checkFor(target).check(record) : none;
	}

	/** Returns a test whether a changed record has only the mismatches of the original record. */
	changeCheck(itemIndex: number, target: Target, record: JsonObject): (changed: JsonObject) => boolean {
		if (this.modeOf(itemIndex) === 'off') return () => true;
		const { check } = this.checkFor(target);
		const own = new Set(check(record));
		return (changed) => check(changed).every((text) => own.has(text));
	}

	/** The documented fields of an endpoint; empty if the document is not known. */
	fieldsOf(target: EndpointPlace): readonly FieldSchema[] {
		return this.schemaOf(target)?.fields ?? [];
	}

	/**
	 * Advice from the document for an error: the existing endpoints if the endpoint is unknown, or an example of a valid record.
	 */
	adviceOn(error: unknown, target?: EndpointPlace): string | undefined {
		if (!(error instanceof StatusError) || !target || ![400, 404, 422, 500].includes(error.status)) return undefined;
		const endpoints = documentOf(target)?.endpoints ?? [];
		const same = endpoints.filter(({ id }) => id === target.endpointId);
		if (same.length > 0 && same.every(({ operation }) => operation !== this.operation)) {
			const { kind, node } = operationNames[same[0]!.operation];
			return `'${target.endpointId}' is ${kind}: use ${node}.`;
		}
		if (error.status === 404) return this.listOf(endpoints, target.endpointId);
		// A function may fail for any reason, not only because of its arguments.
		if (this.operation === 'runFunction' && !/argument/.test(error.detail ?? '')) return undefined;
		const example = this.exampleOf(target);
		return example && `Example: ${example}.`;
	}

	/** What a model should call the tool with instead. */
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

	private checkFor(target: Target, form?: RecordOrigin['form']): EndpointCheck {
		if (this.last?.target === target && !this.last.form === !form) return this.last.found;
		const key = JSON.stringify([serviceOf(target), target.endpointId, form !== undefined]);
		let found = this.checks.get(key);
		if (!found) this.checks.set(key, (found = this.makeCheck(target, form)));
		this.last = { target, form, found };
		return found;
	}

	private makeCheck(target: Target, form: RecordOrigin['form']): EndpointCheck {
		// Deferred, so that the first request is sent before the document is read.
		setImmediate(() => readSoon(target.connection, target.serviceId));
		let schema = this.schemaOf(target);
		if (!schema || schema.fields.length === 0) {
			if (this.awaited.has(serviceOf(target)) && !this.parameters.asTool) this.unchecked = true;
			if (!form) return unchecked;
			schema = this.schemaOfForm(target, form);
		}
		let check = checkOfSchema.get(schema);
		if (!check) checkOfSchema.set(schema, (check = checkOf(schema)));
		return check;
	}

	/** The fields that the editor keeps from the document: only their names. */
	private schemaOfForm({ endpointId = '' }: EndpointPlace, form: NonNullable<RecordOrigin['form']>): EndpointSchema {
		const fields = form.fields.map(({ id, required }) => ({ name: id, required: required === true, nullable: false }));
		return { id: endpointId, operation: this.operation, fields, requiredKnown: true, complete: true };
	}

	private noteNames(fields: NonNullable<RecordOrigin['form']>['fields'], item: JsonObject): void {
		const { form, found, unused } = this.names;
		if (form.size === 0) for (const { id } of fields) form.add(id);
		for (const name of Object.keys(item)) {
			if (form.has(name)) found.add(name);
			else if (unused.size < mostNames) unused.add(name);
		}
	}

	private emptyRecord(target: EndpointPlace, { item = {}, form }: RecordOrigin, n?: number): InvalidCallError {
		const found = Object.keys(item);
		if (!form?.byName || found.length === 0 || form.fields.some(({ id }) => Object.hasOwn(item, id))) {
			return new InvalidCallError(`The record is empty${inList(n)}`, {
				advice: "None of the item's fields would be sent. Check where the record comes from.",
			});
		}
		const [noun, expected] = [fieldNouns[this.operation], listed(form.fields.map(({ id }) => id))];
		return new InvalidCallError(
			`None of the item's fields match the ${noun}s of '${target.endpointId}'. Input: ${listed(found)}. Expected: ${expected}`,
			{ advice: "Rename the item's fields, or map them one by one." },
		);
	}

	private schemaOf(target: EndpointPlace): EndpointSchema | undefined {
		return documentOf(target)?.schemaOf(target.endpointId ?? '', this.operation);
	}

	private exampleOf(target: EndpointPlace): string | undefined {
		const example = this.schemaOf(target)?.example;
		if (!example) return undefined;
		// The spaces let the editor wrap the text, which would otherwise be cut off.
		const fields = Object.entries(example).map((field) => field.map((part) => JSON.stringify(part)).join(':'));
		const text = `{${fields.join(', ')}}`;
		return text.length <= 500 ? text : undefined;
	}

	private listOf(endpoints: readonly DocumentedEndpoint[], asked = ''): string | undefined {
		const ids = endpoints.filter(({ operation }) => operation === this.operation).map(({ id }) => id);
		if (ids.length === 0) return undefined;
		const more = ids.length > 10 ? ` and ${ids.length - 10} more` : '';
		const [close] = closeNames(ids)(asked);
		return `${close === undefined ? '' : `Did you mean '${close}'? `}Endpoints for this node: ${ids.slice(0, 10).join(', ')}${more}.`;
	}
}

function note(found: ItemCheck, text: string, n: number | undefined): void {
	// Most records match. A map for each would take more memory than the records.
	found.texts ??= new Map();
	if (!found.texts.has(text)) found.texts.set(text, n);
}

const serviceOf = ({ connection, serviceId }: Target) => keyOf(connection, serviceId);

const documentOf = ({ connection, serviceId }: EndpointPlace) =>
	connection && knownDocument(connection, serviceId)?.document;

function cancelled(): never {
	throw new CancelledError();
}

/** Whether a record has any fields, and any field with a value. */
function contentOf(record: JsonObject): 'none' | 'nulls' | 'values' {
	let content: 'none' | 'nulls' = 'none';
	for (const name in record) {
		const value = record[name];
		if (value === undefined) continue;
		if (value !== null && !isBlank(value)) return 'values';
		content = 'nulls';
	}
	return content;
}

const asNull = { what: 'NaN, Infinity or an invalid date', sentAs: 'null' };

/** What JSON loses of a value, or of a value inside of it. */
function lostIn(value: unknown, depth = 0): typeof asNull | undefined {
	if (typeof value !== 'object' || value === null) {
		return typeof value === 'number' && !Number.isFinite(value) ? asNull : undefined;
	}
	if ('toJSON' in value) return isNone(value) ? asNull : undefined;
	const kind = kindWithoutJson(value);
	if (kind !== undefined) return { what: kind, sentAs: shortened(JSON.stringify(value), 20) };
	if (depth >= deepest) return undefined;
	for (const inner of Object.values(value)) {
		const lost = lostIn(inner, depth + 1);
		if (lost) return lost;
	}
	return undefined;
}

const inList = (n: number | undefined) => (n === undefined ? '' : ` (record ${n} of the list)`);

function misfit(texts: string[], example: string | undefined): InvalidCallError {
	const [first = '', ...others] = texts;
	const message = [`${first.charAt(0).toUpperCase()}${first.slice(1)}`, ...others].join('; ');
	return new InvalidCallError(message, { advice: example && `Example: ${example}.` });
}
