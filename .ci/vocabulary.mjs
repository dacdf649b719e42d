// `npm run lint`: finds wording that readers have stumbled over, and shows a better form. Checks only the given files, if any.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const better = [
	[/\bwhoever\b/i, 'name the person or the part: "the user", "the caller"'],
	[/\b(is|are) no \w+ of\b/, '"is not a … of", "has no …"'],
	[/\d+ at least\b/, '"at least 200"'],
	[/\ba whole number (above|from)\b/, '"a positive integer", "an integer from 1 to 10"'],
	[/\b(un)?mend(s|ed|ing)?\b/i, '"fix", "correct"'],
	[/\bheed(s|ed|ing)?\b/i, '"respect", "use"'],
	[/\bheld against\b/, '"compared with", "validated against"'],
	[/\btold of\b(?! [[(])/, '"reported to", "shown", "receives"'],
	[/\b(has|had|have) said so\b/, 'name what was said'],
	[/\ban? [a-z-]+ of (its|their|our|your) own\b(?!')/i, '"its own …"'],
	[/\bof its own accord\b/, '"automatically", "without being asked"'],
	[/\b(by itself|by themselves)\b/, '"alone", "automatically"'],
	[/\bon demand\b/, 'name the option'],
	[/\bhands? (it |them )?on\b/, '"passes on"'],
	[/\bso it goes with\b/, '"the same applies to"'],
	[/\bdoes as well\b/, '"also works"'],
	[/\bbesides\b/, '"in addition to", "also"'],
	[/\bof those above\b/, 'repeat the noun'],
	[/\bas it is called\b/, 'name it'],
	[/\bends that[,.;]/, 'name what ends'],
	[/\banswer(s|ed)? nobody\b/, '"does not respond to any request"'],
	[/\bgoes? nowhere\b/, '"is sent only to …"'],
	[/\bfor good\b/, '"permanently"'],
	[/\band the like\b/, 'list them, or give an example'],
	[/\bpassed over\b/, '"skipped", "ignored"'],
	[/\bby environment variables?\b/, '"through environment variables"'],
	[/\bemulations?\b/, '"emulator", "emulated API node"'],
	[/\bpress the\b/i, '"click the …"'],
	[/\bThe (page|node) [A-Z*]/, '"The … page", "The … node"'],
	[/\bserves? no\b/, '"does not serve"'],
];

/** Files of earlier versions, Dataiku's own text, and generated files. */
const exempt =
	/^(test\/e2e\/saved|test\/docs\/APINodeClient\.txt|test\/support\/fixture|package-lock\.json|\.ci\/vocabulary)/;
const listed = () => execFileSync('git', ['ls-files'], { encoding: 'utf8' }).trim().split('\n');
const files = process.argv.length > 2 ? process.argv.slice(2) : listed().filter((file) => !exempt.test(file));

let count = 0;
for (const file of files.filter((name) => /\.([mc]?[jt]s|json|md|txt|ya?ml)$/.test(name))) {
	for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
		for (const [pattern, form] of better) {
			const [found] = pattern.exec(line) ?? [];
			if (found) (console.error(`${file}:${index + 1}: "${found}". Better: ${form}`), count++);
		}
	}
}
if (count > 0) process.exitCode = 1;
