import type { WithStopDemo } from './setup';

export default async function teardown(): Promise<void> {
	await (globalThis as WithStopDemo).stopDemo?.();
}
