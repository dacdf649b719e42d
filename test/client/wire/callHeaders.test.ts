import { InvalidCallError } from '../../../client';
import { callHeaders } from '../../../client/wire/callHeaders';

function refusal(headers: unknown): string {
	try {
		callHeaders(headers as Record<string, string>);
	} catch (error) {
		expect(error).toBeInstanceOf(InvalidCallError);
		return (error as Error).message;
	}
	throw new Error('The headers were taken');
}

it.each([
	['authorization', 'authentication is set in the credential'],
	['proxy-authorization', 'authentication is set in the credential'],
	['cookie', 'authentication is set in the credential'],
	['host', 'the client sets this header'],
	['content-length', 'the client sets this header'],
	['content-type', 'the client sets this header'],
	['accept-encoding', 'the client sets this header'],
	['content-encoding', 'the body is sent uncompressed'],
	['transfer-encoding', 'it applies to the connection, not to the endpoint'],
	['connection', 'it applies to the connection, not to the endpoint'],
	['proxy-connection', 'it applies to the connection, not to the endpoint'],
	['keep-alive', 'it applies to the connection, not to the endpoint'],
	['te', 'it applies to the connection, not to the endpoint'],
	['trailer', 'it applies to the connection, not to the endpoint'],
	['upgrade', 'it applies to the connection, not to the endpoint'],
	['http2-settings', 'it applies to the connection, not to the endpoint'],
	['expect', 'it applies to the connection, not to the endpoint'],
])('%s is always refused, without its value in the message', (name, reason) => {
	for (const spelled of [name, name.toUpperCase(), name.replace(/^./, (letter) => letter.toUpperCase())]) {
		expect(refusal({ 'x-fine': 'a', [spelled]: 's3cr3t' })).toBe(`The header "${spelled}" cannot be sent: ${reason}`);
	}
});

it.each(['', ' ', 'X Tenant', 'X-Tenant ', 'X-Tenant:', 'X\r\nHost', 'X\nHost', 'X\0', 'Ünï', '(x)', 'host\r\n'])(
	'a header of the name %j is refused',
	(name) => {
		expect(refusal({ [name]: 's3cr3t' })).toBe(
			`The header ${JSON.stringify(name)} cannot be sent: its name can contain letters, digits, hyphens and some other characters, but no spaces`,
		);
	},
);

it.each<[string, unknown, string]>([
	['two lines', 's3cr3t\r\nauthorization: x', 'its value must be a single line'],
	['a line feed at its end', 's3cr3t\n', 'its value must be a single line'],
	['a lone carriage return', 's3\rcr3t', 'its value must be a single line'],
	['a NUL', 's3cr3t\0', 'its value must be a single line'],
	['a control character', 's3cr3t\u001b', 'its value contains a character that is not allowed in a header'],
	['a character beyond latin1', 's3cr3t €', 'its value contains a character that is not allowed in a header'],
	// Its lower byte is that of a line feed.
	[
		'a character that latin1 would cut to a line feed',
		's3cr3t\u010a',
		'its value contains a character that is not allowed in a header',
	],
	['a number', 7, 'its value is not text'],
	['nothing', undefined, 'its value is not text'],
	['a list', ['s3cr3t'], 'its value is not text'],
])('a value that is or contains %s is refused', (_what, value, reason) => {
	expect(refusal({ 'X-Tenant': value })).toBe(`The header "X-Tenant" cannot be sent: ${reason}`);
});

it('a header is refused when it is given twice in different case', () => {
	expect(refusal({ 'X-Tenant': 'a', 'x-tenant': 'b' })).toBe('The header "x-tenant" cannot be sent: it appears twice');
});

it.each<[string, unknown]>([
	['a text', 'x-tenant: a'],
	['null', null],
	['a list', [['x-tenant', 'a']]],
	['a Map', new Map([['x-tenant', 'a']])],
	["fetch's Headers", new Headers({ 'x-tenant': 'a' })],
])('%s in place of an object is refused', (_what, headers) => {
	expect(refusal(headers)).toBe("'headers' must be an object with header names as keys and strings as values");
});

it('all other headers are sent unchanged', () => {
	const headers = { 'X-Tenant': ' a ', "!#$%&'*+.^_`|~0": 'é\t"', 'x-empty': '', constructor: 'x' };
	expect(callHeaders(headers).headers).toEqual(headers);
	expect(callHeaders(undefined).headers).toEqual({});
	expect(Object.keys(callHeaders(JSON.parse('{"__proto__": "x"}') as Record<string, string>).headers)).toEqual([
		'__proto__',
	]);
});
