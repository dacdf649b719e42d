import { timed } from '../../demo/timed';

let said = '';
const report = (text: string) => (said += text);
beforeEach(() => (said = ''));

test('a step is shown when it starts, and its time in the same line when it is done', async () => {
	const result = await timed(report, 'Installing it', async () => {
		expect(said).toBe('Installing it ... ');
		return await Promise.resolve('installed');
	});
	expect(result).toBe('installed');
	expect(said).toMatch(/^Installing it \.\.\. \d+ s\n$/);
});

test('a step that fails ends its line without a time', async () => {
	const failed = timed(report, 'Installing it', async () => await Promise.reject(new Error('no space')));
	await expect(failed).rejects.toThrow('no space');
	expect(said).toBe('Installing it ... \n');
});
