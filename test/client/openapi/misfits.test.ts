import { misfitCheck, ServiceDocument } from '../../../client/internal';
import { ask } from '../../demo/api-node/ask';
import { Stage } from '../harness';
import { endpoint, schemaOf } from './documents';

const stage = new Stage();

const number = { type: 'number' };
const payment = {
	amount: number,
	hour: { type: 'integer' },
	country: { type: 'string', enum: ['FR', 'DE', 'US'] },
	card_present: { type: 'boolean' },
	note: { type: 'string' },
	tags: { type: 'array' },
	extra: { type: 'object' },
	anything: {},
};
const whole = {
	...{ amount: 4.5, hour: 3, country: 'FR', card_present: true, note: '' },
	...{ tags: [], extra: {}, anything: ['x'] },
};
const kinds = (misfits: ReturnType<ReturnType<typeof misfitCheck>>) =>
	misfits.map((misfit) => [misfit.kind, 'field' in misfit ? misfit.field : undefined]);

describe('a record matches the document', () => {
	const check = misfitCheck(endpoint(payment));
	it.each<[string, object]>([
		['as it is documented', whole],
		['with fields that are not', { ...whole, id: 7, customer: { name: 'x' } }],
		['with a part of the fields, where none is required', { amount: 1 }],
		['with null for a missing value', { amount: null, country: null, hour: 1 }],
		['with null alone, which is a value that is missing', { amount: null }],
		['with an undefined value, which JSON leaves out', { amount: 1, country: undefined }],
		['with a date, which JSON has as text', { note: new Date(0) }],
	])('%s', (_name, record) => {
		expect(check({ ...record })).toEqual([]);
	});

	it('when the document lists no fields', () => {
		expect(misfitCheck(endpoint({}))({ a: 1 })).toEqual([]);
	});

	it('without allocating a new list for each record', () => {
		expect(check(whole)).toBe(check({ amount: 1, id: 2 }));
	});
});

describe('a wrong type', () => {
	const check = misfitCheck(endpoint(payment));
	it.each<[string, unknown]>([
		['amount', 'a lot'],
		['amount', '1,234.5'],
		['amount', true],
		['amount', [1]],
		['amount', NaN],
		['amount', Infinity],
		['amount', '1e999'],
		['hour', 3.5],
		['hour', '3.5'],
		['card_present', 1],
		['card_present', 'yes'],
		['note', 5],
		['note', false],
		['note', {}],
		['tags', '[]'],
		['tags', {}],
		['extra', []],
		['extra', '{}'],
	])('%s: %j', (field, value) => {
		const { type } = payment[field as 'amount'];
		expect(check({ ...whole, [field]: value })).toEqual([{ kind: 'type', field, value, type }]);
	});
});

describe('a blank counts as missing in a field that is not text', () => {
	const required = ['amount', 'hour', 'country', 'card_present', 'tags', 'note'];
	it.each(['', ' ', '\t', '\u00a0', ' \r\n'])('%j', (blank) => {
		const record = { amount: blank, hour: blank, country: blank, card_present: blank, tags: blank, note: blank };
		const missing = misfitCheck(endpoint(payment, { required }))(record);
		expect(missing).toEqual(required.slice(0, -1).map((field) => ({ kind: 'missing', field })));
	});

	it('unless it is one of the listed values', () => {
		const check = misfitCheck(endpoint({ gap: { type: 'string', enum: [' ', 'x'] } }, { required: ['gap'] }));
		expect(check({ gap: ' ' })).toEqual([]);
		expect(check({ gap: '' })).toEqual([{ kind: 'missing', field: 'gap' }]);
	});
});

describe('a number or a boolean in a field with listed texts', () => {
	const codes = endpoint({ code: { type: 'string', enum: ['10', '2.5', 'true'] } });
	it.each([10, 2.5, true, '10'])('matches when its text is listed: %j', (code) => {
		expect(misfitCheck(codes)({ code })).toEqual([]);
	});
	it.each([11, false, '11'])('is not one of the values when its text is not listed: %j', (code) => {
		expect(misfitCheck(codes)({ code })).toMatchObject([{ kind: 'enum', field: 'code', value: code }]);
	});
	it('never matches for a function, whose code may compare types', () => {
		expect(misfitCheck({ ...codes, operation: 'runFunction' })({ code: 10 })).toMatchObject([{ kind: 'type' }]);
	});
});

describe('a misspelled name in the item from which the record was made', () => {
	const check = misfitCheck(endpoint(payment));
	it.each(['Amount', 'amuont', 'a_mount', ' amount'])(
		'is a misfit when it is close to a field without a value: %s',
		(field) => {
			expect(check({ hour: 3 }, { hour: 3, [field]: 20 })).toEqual([{ kind: 'unknown', field, suggestion: 'amount' }]);
		},
	);
	it.each([null, '', ' '])('is a misfit when the item also has the field, without a value: %j', (amount) => {
		expect(check({ hour: 3, amount: null }, { hour: 3, amount, Amount: 20 })).toMatchObject([{ suggestion: 'amount' }]);
	});
	it.each([
		['the field has a value', { hour: 3, amount: 1 }, { Amount: 20, hour: 3, amount: 1 }],
		['it is the name of a field', { hour: 3 }, { hour: 3, amount: 20, Amount: 20 }],
		['it is far from all', { hour: 3 }, { hour: 3, garden: true }],
	])('is not reported when %s', (_when, record, origin) => {
		expect(check(record, origin)).toEqual([]);
	});
	it('is not reported when it differs only in digits', () => {
		const versions = misfitCheck(endpoint({ v3: { type: 'number' }, lag_1: { type: 'number' }, other: {} }));
		expect(versions({ other: 1 }, { other: 1, v30: 2, v2: 2, lag_11: 2, lag_2: 1 })).toEqual([]);
	});
});

describe('a text in a number or boolean field', () => {
	it.each(['true', 'false', 'True', 'False', 'TRUE'])('matches a boolean in a common spelling: %s', (card_present) => {
		expect(misfitCheck(endpoint(payment))({ ...whole, card_present })).toEqual([]);
	});

	it.each<[string, object]>([
		['lists only booleans', { enum: [true, false] }],
		['is a constant', { const: true }],
		['lists booleans and null', { enum: [true, null] }],
	])('matches a boolean in a common spelling when the field names no type and %s', (_name, field) => {
		expect(misfitCheck(endpoint({ on: field }))({ on: 'True' })).toEqual([]);
		expect(misfitCheck(endpoint({ on: field }))({ on: 'yes' })).toMatchObject([{ kind: 'type', type: 'boolean' }]);
	});

	const texts = { amount: ' 412.5', hour: '-3', card_present: 'false' };
	it.each(['predict', 'predictEffect', 'lookup', 'forecast', 'sqlQuery'] as const)('matches for %s', (operation) => {
		expect(misfitCheck(endpoint(payment, { operation }))(texts)).toEqual([]);
	});

	it('never matches for a function, whose code may add or compare', () => {
		const misfits = misfitCheck(endpoint(payment, { operation: 'runFunction' }))(texts);
		expect(misfits.map(({ kind }) => kind)).toEqual(['type', 'type', 'type']);
	});

	it.each(['predict', 'runFunction'] as const)('matches for %s as an integer that no number can hold', (operation) => {
		const check = misfitCheck(endpoint(payment, { operation }));
		expect(check({ amount: '9007199254740993', hour: '-18446744073709551617' })).toEqual([]);
	});

	it('is missing when it is blank', () => {
		const required = ['amount', 'country', 'note'];
		const empty = { ...whole, amount: '', country: '', note: '', hour: '', card_present: '', tags: '' };
		expect(misfitCheck(endpoint(payment, { required }))(empty)).toEqual([
			{ kind: 'missing', field: 'amount' },
			{ kind: 'missing', field: 'country' },
		]);
		const ofFunction = misfitCheck(endpoint(payment, { operation: 'runFunction' }))(empty);
		expect(kinds(ofFunction)).toEqual([
			['type', 'amount'],
			['type', 'hour'],
			['enum', 'country'],
			['type', 'card_present'],
			['type', 'tags'],
		]);
	});

	it('has the verdict of the embedded API node', async () => {
		const node = await stage.node();
		const document = new ServiceDocument(await stage.client({ url: node.url }).openApi());
		const judge = async (id: string, action: 'predict' | 'run', record: object) => {
			const check = misfitCheck(document.schemaOf(id, action === 'run' ? 'runFunction' : 'predict')!);
			const body = action === 'run' ? record : { features: record };
			const { status } = await ask(node, `open/${id}/${action}`, body);
			return { takes: status === 200, fits: check({ ...record }).length === 0 };
		};
		for (const amount of ['412.5', '4e2', ' 7 ', '', 'a lot', '1,5', true, []]) {
			const { takes, fits } = await judge('fraud', 'predict', { amount });
			expect([amount, fits]).toEqual([amount, takes]);
		}
		for (const a of [2, '2', 'x', '']) {
			const { takes, fits } = await judge('add', 'run', { a, b: 3 });
			expect([a, fits]).toEqual([a, takes]);
		}
	});
});

it("Every example in the embedded API node's document matches it", async () => {
	const { url } = await stage.node();
	const document = new ServiceDocument(await stage.client({ url }).openApi());
	for (const { id, operation } of document.endpoints) {
		const schema = document.schemaOf(id, operation)!;
		expect([id, misfitCheck(schema)(schema.example!)]).toEqual([id, []]);
	}
});

describe('a value that is not listed', () => {
	it('is a misfit that has the listed values', () => {
		expect(misfitCheck(endpoint(payment))({ ...whole, country: 'Narnia' })).toEqual([
			{ kind: 'enum', field: 'country', value: 'Narnia', enum: ['FR', 'DE', 'US'] },
		]);
	});

	it.each<[string, object, unknown, boolean]>([
		['a number as text', { type: 'integer', enum: [1, 2] }, '2', true],
		['a number written otherwise', { type: 'number', enum: [1.5] }, '1.50', true],
		['another number', { type: 'integer', enum: [1, 2] }, 3, false],
		['a big integer', { type: 'integer', enum: ['9007199254740993'] }, '9007199254740993', true],
		['its neighbour', { type: 'integer', enum: ['9007199254740993'] }, '9007199254740992', false],
		['a value of no type', { enum: ['a', 1] }, 1, true],
		['an object of no type', { enum: ['a', 1] }, { toString: 1 }, false],
		['values of a text that are numbers', { type: 'string', enum: [1, 2] }, '1', true],
		['objects, which are not compared', { enum: [{ a: 1 }] }, { a: 2 }, true],
		['no values', { enum: [] }, 'x', true],
		['an odd list', { enum: 'a' }, 'x', true],
	])('%s', (_name, schema, value, fits) => {
		expect(misfitCheck(endpoint({ a: schema }))({ a: value })).toHaveLength(fits ? 0 : 1);
	});
});

describe('a missing value', () => {
	const check = misfitCheck(endpoint(payment, { required: ['amount', 'country'] }));
	it.each<[string, object]>([
		['absent', { country: 'FR' }],
		['null', { country: 'FR', amount: null }],
		['undefined', { country: 'FR', amount: undefined }],
	])('is a misfit if it is required and %s', (_name, record) => {
		expect(check({ ...record })).toEqual([{ kind: 'missing', field: 'amount' }]);
	});

	it('is not a misfit when the document allows null and the value is null', () => {
		const nullable = misfitCheck(endpoint({ a: { type: ['number', 'null'] }, b: number }, { required: ['a'] }));
		expect(nullable({ a: null, b: 1 })).toEqual([]);
		expect(nullable({ b: 1 })).toEqual([{ kind: 'missing', field: 'a' }]);
	});
});

describe('a record with none of the fields', () => {
	const fields = Object.keys(payment);
	it('is one misfit, and not one per field', () => {
		expect(misfitCheck(endpoint(payment, { required: ['amount'] }))({ id: 7 })).toEqual([{ kind: 'none', fields }]);
		expect(misfitCheck(endpoint(payment))({})).toEqual([{ kind: 'none', fields }]);
	});

	it('also suggests what its fields may be meant for', () => {
		expect(kinds(misfitCheck(endpoint(payment))({ Amount: 7 }))).toEqual([
			['none', undefined],
			['unknown', 'Amount'],
		]);
	});

	it.each(['runFunction', 'sqlQuery'] as const)(
		'is usual for %s without arguments, if none is required',
		(operation) => {
			expect(misfitCheck(endpoint(payment, { operation }))({})).toEqual([]);
			expect(kinds(misfitCheck(endpoint(payment, { operation }))({ id: 7 }))).toEqual([['none', undefined]]);
			expect(misfitCheck(endpoint(payment, { operation, required: ['amount'] }))({})).toEqual([
				{ kind: 'missing', field: 'amount' },
			]);
		},
	);

	it('is not a misfit when a part of the document is unknown', () => {
		const schema = schemaOf({ properties: { amount: number }, allOf: [{ $ref: 'http://elsewhere' }] });
		expect(misfitCheck(schema)({ amuont: 7 })).toEqual([]);
	});
});

describe('an unknown field', () => {
	const misfits = (record: object, properties: Record<string, unknown> = payment, required?: string[]) =>
		misfitCheck(endpoint(properties, { required }))({ ...record });

	it('is a misfit when it is close to a missing field, whether or not that is required', () => {
		const misfit = { kind: 'unknown', field: 'amuont', suggestion: 'amount' };
		expect(misfits({ amuont: 1, country: 'FR' })).toEqual([misfit]);
		expect(misfits({ amuont: 1, amount: null, country: 'FR' })).toEqual([misfit]);
		expect(misfits({ amuont: 1, country: 'FR' }, payment, ['amount', 'hour'])).toEqual([
			{ kind: 'missing', field: 'hour' },
			misfit,
		]);
	});

	it('is not a misfit when it is close to a field with a value', () => {
		expect(misfits({ amuont: 1, amount: 2 })).toEqual([]);
	});

	it('is not a misfit when it is documented, too', () => {
		const close = { price: number, prices: number };
		expect(misfits({ prices: 1 }, close)).toEqual([]);
		expect(misfits({ price: 1 }, close)).toEqual([]);
	});

	it('is not a misfit when it has no value in JSON', () => {
		expect(misfits({ amuont: undefined, hour: 1 })).toEqual([]);
	});

	it('is matched with the closest missing field', () => {
		const close = { amounts: number, Amount: number, other: number };
		expect(misfits({ amount: 1, other: 1 }, close)).toMatchObject([{ suggestion: 'Amount' }]);
		expect(misfits({ amount: 1, other: 1, Amount: 1 }, close)).toMatchObject([{ suggestion: 'amounts' }]);
	});

	it('is found behind many other fields, whatever differs in its name', () => {
		const fields = { surface: number, city: { type: 'string' }, rooms: number };
		const wide = Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`extra_col_${n}`, 'x']));
		expect(kinds(misfits({ ...wide, rooms: 3, Surface: 250, CITY: 'Paris' }, fields))).toEqual([
			['unknown', 'Surface'],
			['unknown', 'CITY'],
		]);
		expect(kinds(misfits({ ...wide, rooms: 3, surfce: 250 }, fields))).toEqual([['unknown', 'surfce']]);
		const check = misfitCheck(endpoint(fields));
		expect(kinds(check({ rooms: 3, surface: 1 }, { ...wide, City: 'Paris' }))).toEqual([['unknown', 'City']]);
		const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`field_${n}`, number]));
		const most = Object.fromEntries(
			Object.keys(many)
				.slice(3)
				.map((name) => [name, 1]),
		);
		expect(kinds(misfits({ ...wide, ...most, 'Field 1': 2 }, many))).toEqual([['unknown', 'Field 1']]);
	});

	it('is a misfit when only the encoding of its accent differs', () => {
		const fields = { ['Größe'.normalize('NFC')]: number, prix: number };
		expect(kinds(misfits({ ['Größe'.normalize('NFD')]: 250, prix: 1 }, fields))).toEqual([
			['unknown', 'Größe'.normalize('NFD')],
		]);
	});

	it('is found next to many other fields, record after record', () => {
		const check = misfitCheck(endpoint(payment));
		const none = check(whole);
		for (let n = 0; n < 30_000; n++) {
			const misfits = check({ hour: 1, [`column ${n}`]: n, ...(n % 1_000 === 0 && { Amount: 1 }) });
			if (n % 1_000 === 0) expect(kinds(misfits)).toEqual([['unknown', 'Amount']]);
			else expect(misfits).toBe(none);
		}
	});
});
