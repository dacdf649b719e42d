import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEmptyCall, ofFraud } from '../e2e/tools/sixTools';

const page = readFileSync(path.join(__dirname, '../../docs/agents.md'), 'utf8');
const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!) as unknown);

test('the page on agents shows what a model received in the end-to-end tests', () => {
	const { description, features } = ofFraud;
	const parameters = { type: 'object', properties: { features } };
	expect(examples).toContainEqual({ name: 'fraud', description, parameters });
	expect(examples).toContainEqual([{ error: afterEmptyCall }]);
});
