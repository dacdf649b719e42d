import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(__dirname, '../..');

it('20,000 records arrive once each, in place, when there are faults and dying instances, and the heap stays flat', async () => {
	const soak = ['--import', 'tsx', 'test/soak/soak.ts', '--records', '20000'];
	// a code other than 0 rejects, and the message holds what was printed
	const { stdout } = await promisify(execFile)(process.execPath, soak, { cwd: root });

	expect(stdout).toMatch(/^lost 0, doubled 0, misplaced 0$/m);
	expect(stdout).toMatch(/^refused 10 of 10 bad records, alone$/m);
	// it was no walk in the park
	expect(stdout).toMatch(/^met: (?=.*\d 503)(?=.*\d reset)(?=.*\d delay)(?=.*\d truncated).*[1-9] deaths$/m);
	expect(Number(/^retried (\d+)/m.exec(stdout)?.[1])).toBeGreaterThan(10);

	const heap = /^heap in MiB, by tenths: (.*)$/m.exec(stdout)![1]!.split(' ').map(Number);
	expect(heap).toHaveLength(10);
	expect(Math.min(...heap)).toBeGreaterThan(0);
	expect(heap[9]! - heap[1]!).toBeLessThan(3);
});
