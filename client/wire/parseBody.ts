import { hadNotFinite, markNotFinite, NotJson, parseResponse, setOwn } from '../json';
import type { JsonObject } from '../types';
import { bodyText, inUtf8 } from './decode';
import type { WireResponse } from './exchange';
import { ownTurn, sliceBytes } from './slices';

/** Objects and lists in one response. 60 MiB of empty ones would take 1.4 GiB of memory. */
const mostObjects = 1_000_000;
/** A response up to these limits takes some 10 ms to parse. */
const [lightBytes, lightObjects] = [512 * 1024, 20_000];
/** Looking at every byte would take half as long as parsing. */
const sampleEvery = 7;
/** Each level costs time at the end of a slice. */
const deepest = 10_000;

/** A response with more values or levels than allowed. The message continues the sentence "The response from <host>". */
export class TooMuchError extends Error {
	constructor(
		message: string,
		readonly reason: 'misfit' | 'tooLarge',
	) {
		super(message);
	}
}

/** An object or a list that is not complete yet. */
interface Open {
	readonly isList: boolean;
	readonly at: number;
	/** Set once a slice ends inside of it. */
	value?: JsonObject | unknown[];
	/** Where the unparsed part begins, and what precedes it. */
	from: number;
	after: 'bracket' | 'comma' | 'parsed';
	entry: number;
	most: number;
}

const code = (character: string) => character.charCodeAt(0);
const [quote, backslash, comma] = [code('"'), code('\\'), code(',')];
const [listStart, listEnd, objectStart, objectEnd] = [code('['), code(']'), code('{'), code('}')];
const byteOrderMark = Buffer.from('\uFEFF');
const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Parses the JSON of a response as {@link parseResponse} does. A large response is parsed in slices, so that other work
 * goes on in between.
 *
 * @param mostResults limit on the length of a list `results`
 * @throws NotJson, TooMuchError
 */
export async function parseBody(response: WireResponse, mostResults = Infinity): Promise<unknown> {
	if (response.body.length <= sliceBytes || isLight(response.body)) return parseResponse(bodyText(response));
	const body = await inUtf8(response);
	let begun = body.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
	while (isSpace(body[begun]!)) begun++;
	if (body[begun] === quote) return parseResponse(bodyText(response));
	const open: Open[] = [];
	let objects = 0;
	let root: object | undefined;
	for (let at = begun; at < body.length; at++) {
		const byte = body[at]!;
		if (byte === quote) {
			if (open.length === 0) throw wrong();
			while (++at < body.length && body[at] !== quote) if (body[at] === backslash) at++;
		} else if (byte === listStart || byte === objectStart) {
			if (++objects > mostObjects) {
				throw new TooMuchError(`has more than ${mostObjects.toLocaleString('en')} objects and lists`, 'tooLarge');
			}
			if (root || open.length > deepest) throw wrong();
			const [isList, from] = [byte === listStart, at + 1];
			open.push({ isList, at, value: undefined, from, after: 'bracket', entry: from, most: Infinity });
		} else if (byte === listEnd || byte === objectEnd) {
			const closed = open.at(-1);
			const around = open.at(-2);
			if (closed?.isList !== (byte === listEnd)) throw wrong();
			if (closed.value || !around) {
				closed.value ??= emptied(closed);
				append(body, open, closed, at, true);
				if (around) Object.assign(around, { from: at + 1, entry: at + 1, after: 'parsed' });
				else root = closed.value;
			}
			open.pop();
		} else if (byte === comma && open.length > 0) {
			if (at - begun >= sliceBytes) {
				parseOpen(body, open, at, mostResults);
				begun = at + 1;
				await ownTurn();
			}
			open.at(-1)!.entry = at + 1;
		} else if (open.length === 0 && !isSpace(byte)) throw wrong();
	}
	if (!root) throw new NotJson('Unexpected end of JSON input', true);
	return root;
}

/** Whether a body has so few objects and lists that it needs no slices. */
function isLight(body: Buffer): boolean {
	if (body.length > lightBytes) return false;
	let sampled = 0;
	for (let at = 0; at < body.length; at += sampleEvery) {
		if (body[at] === listStart || body[at] === objectStart) sampled++;
	}
	return sampleEvery * sampled <= lightObjects;
}

const wrong = () => new NotJson('Not valid JSON', false);

const emptied = ({ isList }: Open): JsonObject | unknown[] => (isList ? [] : {});

/** Parses the entries before a comma of the innermost object or list, and the entries of the outer ones before that. */
function parseOpen(body: Buffer, open: readonly Open[], at: number, mostResults: number): void {
	for (const [depth, each] of open.entries()) {
		each.value ??= emptied(each);
		const inner = open[depth + 1];
		const end = inner ? each.entry - 1 : at;
		if (end >= each.from) {
			append(body, open, each, end, false);
			Object.assign(each, { from: end + 1, after: 'comma' });
		}
		if (!inner || inner.value) continue;
		if (each.after === 'parsed') throw wrong();
		inner.value = emptied(inner);
		// A zero stands in for the inner value.
		const entries = parsed(each, `${body.toString('utf8', each.from, inner.at)} 0`, open);
		const [key = ''] = Object.keys(entries);
		if (depth === 0 && key === 'results') inner.most = mostResults;
		setOwn(entries as JsonObject, key, inner.value);
		add(each, entries);
		each.from = inner.at;
	}
}

function append(body: Buffer, open: readonly Open[], each: Open, end: number, isEnd: boolean): void {
	let text = body.toString('utf8', each.from, end);
	if (each.after === 'parsed') {
		const separator = /^[ \t\n\r]*,?/.exec(text)![0];
		text = text.slice(separator.length);
		if (text === '' && !separator.endsWith(',')) return;
		if (!separator.endsWith(',')) throw wrong();
	}
	const entries = parsed(each, text, open);
	const isEmpty = (Array.isArray(entries) ? entries : Object.keys(entries)).length === 0;
	if (isEmpty && !(isEnd && each.after === 'bracket')) throw wrong();
	add(each, entries);
}

function add({ value, most }: Open, entries: object): void {
	if (!Array.isArray(value)) {
		for (const key of Object.keys(entries)) setOwn(value!, key, (entries as JsonObject)[key]);
		return;
	}
	for (const entry of entries as unknown[]) value.push(entry);
	if (value.length > most) throw new TooMuchError(`has more than ${most.toLocaleString('en')} results`, 'misfit');
}

/** Parses some entries of an object or a list as a separate object or list. */
function parsed({ isList }: Open, text: string, open: readonly Open[]): object {
	let entries: object;
	try {
		entries = parseResponse(isList ? `[${text}]` : `{${text}}`) as object;
	} catch {
		throw wrong();
	}
	if (hadNotFinite(entries)) for (const { value } of open) if (value) markNotFinite(value);
	return entries;
}
