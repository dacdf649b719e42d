import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const root = path.join(__dirname, '../..');

/** Each sentence in these declarations is a message or a part of one, and so is what these functions are given first. */
const ofMessages = new Set([
	...['message', 'unreachable', 'troubles', 'notes', 'hints', 'sentences'],
	...['rowsShown', 'charactersShown', 'emptyResponse', 'files', 'notFiniteRead'],
	...['misfitWords', 'reasonAgainst', 'refused', 'ofCredential', 'ofClient', 'ofConnection', 'ruleNotes', 'saidBy'],
	...[
		'whyNoFields',
		'instead',
		'errorRenamed',
		'othersRemarked',
		'identifierKept',
		'retryWarning',
		'notChecked',
		'words',
		'tooManyColumns',
		'ignoredWords',
		'noPrediction',
	],
]);
const takesMessage = new Set(['remark', 'notOpenApi']);

/** What is the same wherever a message is shown; empty for what is no more than a name. */
function constantOf(words: string): string {
	const constant = words.replace(/<[^>]+>/g, '…').replace(/^[…\s]+|[…\s]+$/g, '');
	return /\p{L}/u.test(constant) && words.includes(' ') ? constant : '';
}

function isOfMessages(node: ts.Node & { name?: ts.Node }): boolean {
	return node.name !== undefined && ts.isIdentifier(node.name) && ofMessages.has(node.name.text);
}

/** The first argument of `new …Error(`, of `execution.remark(` and similar calls. */
function messageArgument(node: ts.Node): ts.Node | undefined {
	if (ts.isNewExpression(node) && /Error$/.test(node.expression.getText())) return node.arguments?.[0];
	if (!ts.isCallExpression(node)) return undefined;
	const { expression } = node;
	const name = ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText();
	return takesMessage.has(name) ? node.arguments[0] : undefined;
}

function literalText(node: ts.Node): string | undefined {
	if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
	if (!ts.isTemplateExpression(node)) return undefined;
	return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('…');
}

function messagesIn(file: string): string[] {
	const found: string[] = [];
	const visit = (node: ts.Node, inside: boolean): void => {
		const text = inside ? literalText(node) : undefined;
		if (text !== undefined) return void found.push(text);
		const argument = messageArgument(node);
		const holds = inside || isOfMessages(node);
		ts.forEachChild(node, (child) => visit(child, holds || child === argument));
	};
	visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true), false);
	return found;
}

const files = ['client', 'nodes'].flatMap((folder) =>
	(readdirSync(path.join(root, folder), { recursive: true }) as string[])
		.filter((name) => name.endsWith('.ts'))
		.map((name) => path.join(root, folder, name)),
);
const distinct = (words: string[]) => [...new Set(words.map(constantOf).filter(Boolean))].sort();
const inCode = distinct(files.flatMap(messagesIn));

/** The first cell of each row. */
const onPage = distinct(
	readFileSync(path.join(root, 'docs/messages.md'), 'utf8')
		.split('\n')
		.flatMap((line) =>
			[...(/^\| ([^|]+) \|/.exec(line)?.[1]?.matchAll(/`([^`]+)`/g) ?? [])].map(([, words = '']) => words),
		),
);

test('every message of the code is on the page', () => {
	expect(inCode.length).toBeGreaterThan(80);
	expect(inCode.filter((words) => !onPage.includes(words))).toEqual([]);
});

test('the page has no message that is not in the code', () => {
	expect(onPage.filter((words) => !inCode.includes(words))).toEqual([]);
});
