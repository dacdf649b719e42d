import { examples } from '../demo/demo';

test("n8n's command line imports each example into 2.0 as well, which wants a version and a state", async () => {
	for (const example of await examples()) {
		expect(example).toMatchObject({ active: false, versionId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
	}
});

test('the examples are numbered from 1 on, and the first is the one that npm start runs', async () => {
	const numbered = (await examples()).map(({ name, id }) => [/^(\d+)\. [A-Z]/.exec(name)?.[1], id] as const);
	expect(numbered.map(([number]) => number)).toEqual(numbered.map((_, index) => String(index + 1)));
	expect(numbered[0]).toEqual(['1', 'dataiku-batch']);
});
