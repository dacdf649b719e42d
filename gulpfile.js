const { execFile } = require('node:child_process');
const { rm } = require('node:fs/promises');
const { promisify } = require('node:util');
const { dest, parallel, series, src } = require('gulp');

const run = promisify(execFile);

const clean = () => rm('dist', { recursive: true, force: true });

const compile = () =>
	run(process.execPath, [require.resolve('typescript/bin/tsc'), '--project', 'tsconfig.build.json']).catch((error) => {
		throw new Error(error.stdout || error.message);
	});

// n8n resolves an icon relative to the compiled node; a codex and the schema of the output by their names beside it.
const icons = () => src('icons/*.svg', { encoding: false }).pipe(dest('dist/icons'));
const beside = () =>
	src(['nodes/**/*.node.json', 'nodes/*/__schema__/*.json'], { base: 'nodes' }).pipe(dest('dist/nodes'));

exports.build = series(clean, parallel(compile, icons, beside));
