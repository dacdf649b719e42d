import { endAll, FOLDER } from './setup';

export default function teardown(): void {
	endAll(process.env[FOLDER] ?? '');
}
