import { examples } from '../demo/demo';

test("n8n's command line imports each example into 2.0 as well, which wants a version and a state", async () => {
	for (const example of await examples()) {
		expect(example).toMatchObject({ active: false, versionId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
	}
});
