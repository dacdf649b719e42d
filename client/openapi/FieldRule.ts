import { isObject } from '../json';
import type { JsonObject } from '../types';
import type { FieldSchema, FieldType } from './EndpointSchema';
import { own } from './SchemaParts';

/** Numbers with too many digits for JavaScript, which are read as text. */
const longNumber = /^-?(?=[\d.]{16})\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;

const fits: Record<FieldType, (value: unknown) => boolean> = {
	number: Number.isFinite,
	integer: Number.isInteger,
	string: (value) => typeof value === 'string',
	boolean: (value) => typeof value === 'boolean',
	array: Array.isArray,
	object: isObject,
};

const booleans = new Map<string, unknown>([
	['true', true],
	['false', false],
]);

export function isBlank(value: unknown): boolean {
	return typeof value === 'string' && value.trim() === '';
}

/** Converts lists of values to texts. Cached, because lists may be long and fields may share one. */
export function listedTexts() {
	const known = new Map<readonly unknown[], ReadonlySet<string> | undefined>();
	return (values: readonly unknown[] | undefined): ReadonlySet<string> | undefined => {
		if (values && !known.has(values))
			known.set(values, values.some(isCompound) ? undefined : new Set(values.map(String)));
		return values && known.get(values);
	};
}

/** Whether JSON represents the value in another way, for example a date as text. */
function isWrittenOtherwise(value: unknown): boolean {
	return isObject(value) && typeof value.toJSON === 'function';
}

function isCompound(value: unknown): value is object {
	return typeof value === 'object' && value !== null;
}

/** What the document says about the values of a field, prepared for checking many values. */
export class FieldRule {
	/** Whether records inherit a property of this name from their prototype. */
	readonly #inherited: boolean;
	readonly #isBlankMissing: boolean;
	readonly #fits: (value: unknown) => boolean;
	/** Whether a text may represent a value of the type. */
	readonly #mayRead: boolean;
	/** Whether a text may be given as a number or a boolean. */
	readonly #mayWrite: boolean;

	/**
	 * @param listed the values of the field's `enum` as texts
	 * @param readsTexts whether a text that reads as a number or a boolean counts as one, a number counts as its text if
	 *   the enum has texts, and a blank counts as missing unless it is an allowed value
	 */
	constructor(
		readonly field: FieldSchema,
		private readonly listed: ReadonlySet<string> | undefined,
		private readonly readsTexts: boolean,
	) {
		const { name, type = 'string' } = field;
		this.#mayRead = ['number', 'integer', 'boolean'].includes(type);
		this.#fits = field.type ? fits[field.type] : () => true;
		this.#inherited = name in Object.prototype;
		this.#isBlankMissing = readsTexts && (type !== 'string' || listed !== undefined);
		this.#mayWrite = readsTexts && type === 'string' && listed !== undefined;
	}

	valueIn(record: JsonObject): unknown {
		return this.#inherited ? own(record, this.field.name) : record[this.field.name];
	}

	verdictOn(value: unknown): 'missing' | 'type' | 'enum' | undefined {
		if (value === null) return this.field.nullable ? undefined : 'missing';
		if (value === undefined) return 'missing';
		if (this.#isBlankMissing && isBlank(value) && !this.listed?.has(value as string)) return 'missing';
		const read = this.#mayRead && typeof value === 'string' ? this.#read(value) : value;
		const fits = this.#fits(read) || (this.#mayWrite && !isCompound(value));
		if (!fits) return isWrittenOtherwise(value) ? undefined : 'type';
		return !this.listed || this.#isListed(read) || this.#isListed(value) ? undefined : 'enum';
	}

	#isListed(value: unknown): boolean {
		return !isCompound(value) && this.listed!.has(String(value));
	}

	#read(text: string): unknown {
		const { type } = this.field;
		if (type === 'boolean' && this.readsTexts) return booleans.get(text.trim().toLowerCase()) ?? text;
		const isNumber = type === 'number' || type === 'integer';
		const isRead = isNumber && (longNumber.test(text) || (this.readsTexts && text.trim() !== ''));
		return isRead ? Number(text) : text;
	}
}
