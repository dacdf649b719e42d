import { type FieldType, type INodePropertyOptions, validateFieldType } from 'n8n-workflow';
import { InvalidCallError, isBlank, mayBeRounded, parseGiven, sentNumber } from '../../client/internal';
import { isObject } from './isObject';
import { isNone, kindWithoutJson, textOf } from './parameters';
import { shortened } from './shortened';

/** Limit on the list, because n8n's form may have very many values per field. */
const longestList = 200;
const longestValue = 100;

export interface TypedField {
	type?: string;
	options?: readonly INodePropertyOptions[];
}

/**
 * Converts a value to the type of its field. A missing value becomes null, and so does a blank for all types except text.
 * Unlike n8n's own conversion, it does not turn blanks into 0, does not round digits, and refuses values that JSON would turn
 * into null.
 *
 * @throws InvalidCallError for a value that cannot be converted
 */
export function fieldValue(name: string, value: unknown, field: TypedField): unknown {
	if (isMissing(value, field)) return null;
	const converted = convert(value, field);
	if (converted !== undefined) return converted;
	const { type = '', options = [] } = field;
	const due =
		type === 'options'
			? `one of the following values: [${shortened(options.map((option) => option.value).join(', '), longestList)}]`
			: `a${/^[aeiou]/.test(type) ? 'n' : ''} ${type}`;
	throw new InvalidCallError(
		`'${shortened(name, longestValue)}' expects ${due} but we got '${shortened(kindWithoutJson(value) ?? textOf(value), longestValue)}'`,
	);
}

/** Whether a value counts as missing in a field of this type. */
export function isMissing(value: unknown, { type = 'string', options = [] }: TypedField): boolean {
	if (isNone(value)) return true;
	if (type === 'string') return false;
	if (Array.isArray(value)) return value.length === 0 && (type === 'number' || type === 'boolean');
	// If the choices are booleans, an empty choice stands for neither of them.
	const isValue = options.some((option) => option.value === value) && !options.some(isBoolean);
	return isBlank(value) && !isValue;
}

const isBoolean = ({ value }: INodePropertyOptions) => typeof value === 'boolean';

function convert(value: unknown, { type = 'string', options = [] }: TypedField): unknown {
	if (type === 'string') return kindWithoutJson(value) ? undefined : textOf(value);
	if (type === 'number') return numberOf(value);
	if (type === 'boolean') return booleanOf(value);
	if (type === 'options') return options.find((option) => isChoice(option.value, value))?.value;
	if (type === 'array') return Array.isArray(value) ? value : fromText(value, Array.isArray);
	if (type === 'object') return isObject(value) ? value : (fromText(value, isObject) ?? looseObject(value));
	const { valid, newValue } = validateFieldType('', value, type as FieldType) as { valid: boolean; newValue?: unknown };
	return valid ? newValue : undefined;
}

function isChoice(choice: unknown, value: unknown): boolean {
	return choice === value || convert(value, { type: typeof choice }) === choice;
}

/** A number that JavaScript would round stays a text. */
function numberOf(value: unknown): unknown {
	const number = Array.isArray(value) ? NaN : asNumber(value);
	if (!Number.isFinite(number)) return undefined;
	if (typeof value !== 'string' && typeof value !== 'bigint') return number;
	const text = String(value).trim().replace('+', '');
	if (!/^0[xob]/i.test(text)) return sentNumber(text);
	return Number.isSafeInteger(number) ? number : String(BigInt(text));
}

function asNumber(value: unknown): number {
	try {
		return Number(value);
	} catch {
		// JavaScript refuses to convert symbols and objects without a prototype.
		return NaN;
	}
}

function booleanOf(value: unknown): boolean | undefined {
	if (typeof value === 'object') return undefined;
	const text = textOf(value).trim().toLowerCase();
	if (text === 'true' || Number(text) === 1) return true;
	return text === 'false' || Number(text) === 0 ? false : undefined;
}

const pythonToken = /'([^'\\]*(?:\\.[^'\\]*)*)'|"[^"\\]*(?:\\.[^"\\]*)*"|\b(?:True|False|None)\b/g;
const pythonWords: Record<string, string> = { True: 'true', False: 'false', None: 'null' };

/** Turns a list or a dictionary as Python prints it into JSON. */
const fromPython = (text: string) =>
	text.replace(pythonToken, (token: string, quoted?: string) =>
		quoted === undefined
			? (pythonWords[token] ?? token)
			: `"${quoted.replace(/\\.|"/g, (found) => (found === '"' ? '\\"' : found === "\\'" ? "'" : found))}"`,
	);

/** Parses JSON, also as Python prints it. */
function fromText(value: unknown, fits: (parsed: unknown) => boolean): unknown {
	if (typeof value !== 'string') return undefined;
	for (const text of [value, fromPython(value)]) {
		try {
			const parsed = parseGiven(text);
			if (fits(parsed)) return parsed;
		} catch {
			// Try the next form.
		}
	}
	return undefined;
}

/** Parses a JavaScript object literal as n8n does, unless that would round its numbers. */
function looseObject(value: unknown): unknown {
	if (typeof value !== 'string' || mayBeRounded.test(value)) return undefined;
	return (validateFieldType('', fromPython(value), 'object') as { newValue?: unknown }).newValue;
}
