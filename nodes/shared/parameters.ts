import type { IExecuteFunctions, IGetNodeParameterOptions, INode } from 'n8n-workflow';
import { InvalidCallError, isBlank } from '../../client/internal';

/** Whether a node is the variant for AI agents, to which n8n gives its own type. */
export const isTool = ({ type }: INode): boolean => type.endsWith('Tool');

/** Reads a parameter for an item. `constant` if the value is the same for all items. */
export interface Reader<Value> {
	(itemIndex: number): Value;
	readonly constant: boolean;
}

function hasExpression(value: unknown): boolean {
	if (typeof value === 'string') return value.startsWith('=');
	return typeof value === 'object' && value !== null && Object.values(value).some(hasExpression);
}

/** By path. The code names all paths, so that there are few. */
const keysOf = new Map<string, readonly string[]>();

/** The value at a path such as `options.timeout` or `fields.assignments[0].value`. */
function valueAt(source: unknown, path: string): unknown {
	let keys = keysOf.get(path);
	if (!keys) keysOf.set(path, (keys = path.split(/[.[\]]+/).filter(Boolean)));
	return keys.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], source);
}

/**
 * Reads a node's parameters. n8n takes 60 to 95 µs to evaluate an expression and 1 to 2 µs to read a plain value, so plain
 * values are read once.
 */
export class Parameters {
	readonly asTool: boolean;
	private readonly raw: unknown;

	constructor(private readonly context: Pick<IExecuteFunctions, 'getNode' | 'getNodeParameter'>) {
		const node = context.getNode();
		this.asTool = isTool(node);
		this.raw = node.parameters;
	}

	/** The stored value, with unevaluated expressions. */
	rawValue(path: string): unknown {
		return valueAt(this.raw, path);
	}

	reader<Value>(path: string, fallback: Value, options?: IGetNodeParameterOptions): Reader<Value> {
		const raw = this.rawValue(path);
		// n8n would return the same.
		if (raw === undefined && fallback !== undefined) return Object.assign(() => fallback, { constant: true });
		const read = (itemIndex: number) => this.context.getNodeParameter(path, itemIndex, fallback, options) as Value;
		if (hasExpression(raw)) return Object.assign(read, { constant: false });
		const value = read(0);
		return Object.assign(() => value, { constant: true });
	}
}

/** Reads a parameter with fixed values. An expression may return anything. */
export function choice<Value extends string>(
	reader: Reader<unknown>,
	label: string,
	values: readonly Value[],
): Reader<Value> {
	return combine([reader], (i) => {
		const value = reader(i) as Value;
		if (values.includes(value)) return value;
		throw new InvalidCallError(`"${label}" must be one of ${values.join(', ')}, not '${String(value)}'`);
	});
}

/** Whether a value is missing, or becomes null when sent, like an invalid date, for which n8n may pass its text. */
export function isNone(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return (value ?? null) === null || value === 'Invalid DateTime';
	const { toJSON } = value as { toJSON?: unknown };
	return typeof toJSON === 'function' && ((toJSON.call(value) as unknown) ?? null) === null;
}

const written = new Set(['Object', 'Array', 'Number', 'String', 'Boolean']);

/** Names the class of an object that JSON cannot represent, for example a Map. */
export function kindWithoutJson(value: unknown): string | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
	return written.has(kind) || 'toJSON' in value ? undefined : `a value of the class ${kind}`;
}

/** Converts a value of an expression to text: dates as ISO 8601 and other objects as JSON, so that errors show the value. */
export function textOf(value: unknown): string {
	if (isNone(value)) return '';
	if (typeof value === 'string') return value;
	if (typeof value === 'number' || typeof value === 'bigint') return String(value);
	const json = JSON.stringify(value) ?? String(value);
	return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/**
 * Reads an option whose expression must return a value, because its default would silently change the result.
 *
 * @param mayBeEmpty whether an empty text is valid
 */
export function demanded(reader: Reader<unknown>, label: string, mayBeEmpty = false): Reader<unknown> {
	if (reader.constant) return reader;
	return combine([reader], (i) => {
		const value = reader(i);
		if (isNone(value) || Number.isNaN(value) || (!mayBeEmpty && isBlank(value))) throw gaveNothing(`"${label}"`);
		return value;
	});
}

export const gaveNothing = (what: string) => new InvalidCallError(`The expression in ${what} returned nothing`);

/** Reads a boolean, which an expression may return as text. */
export function flag(reader: Reader<unknown>, label: string): Reader<boolean> {
	const value = demanded(reader, label);
	return combine([value], (i) => {
		const text = textOf(value(i));
		const word = text.trim().toLowerCase();
		if (word === 'true') return true;
		if (word === 'false' || word === '') return false;
		throw new InvalidCallError(`"${label}" must be true or false, not '${text}'`);
	});
}

export function combine<Value>(
	readers: ReadonlyArray<Reader<unknown>>,
	read: (itemIndex: number) => Value,
): Reader<Value> {
	if (!readers.every((reader) => reader.constant)) return Object.assign(read, { constant: false });
	let value: { read: Value } | undefined;
	return Object.assign((itemIndex: number) => (value ??= { read: read(itemIndex) }).read, { constant: true });
}
