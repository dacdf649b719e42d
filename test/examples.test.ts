import type { INode } from 'n8n-workflow';
import { examples } from '../demo/demo';

test("n8n's command line imports each example into 2.0, too, which requires a version and a state", async () => {
	for (const example of await examples()) {
		expect(example).toMatchObject({ active: false, versionId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
	}
});

test('the examples are numbered from 1 on, and the first is the one that npm start runs', async () => {
	const numbered = (await examples()).map(({ name, id }) => [/^(\d+)\. [A-Z]/.exec(name)?.[1], id] as const);
	expect(numbered.map(([number]) => number)).toEqual(numbered.map((_, index) => String(index + 1)));
	expect(numbered[0]).toEqual(['1', 'dataiku-batch']);
});

const isNote = ({ type }: INode) => type === 'n8n-nodes-base.stickyNote';
const isOurs = ({ type }: INode) => type.startsWith('n8n-nodes-dataiku.');
const isTrigger = ({ type }: INode) => /Trigger$|\.webhook$/.test(type) && !type.endsWith('.evaluationTrigger');
/** Of a node on the canvas. */
const nodeSize = 96;

/** The nodes that a note lies behind. */
function before({ position: [x, y], parameters }: INode, nodes: INode[]): INode[] {
	const [right, bottom] = [x + Number(parameters.width), y + Number(parameters.height)];
	return nodes.filter((node) => {
		const [nodeX, nodeY] = node.position;
		return !isNote(node) && nodeX >= x && nodeX + nodeSize <= right && nodeY >= y && nodeY + nodeSize <= bottom;
	});
}

test('each note of an example lies behind the steps it describes, and the first note says what to choose there', async () => {
	for (const { name, nodes } of await examples()) {
		const notes = nodes.filter(isNote);
		expect([name, notes.length > 0]).toEqual([name, true]);
		for (const note of notes)
			expect([name, note.name, before(note, nodes).length > 0]).toEqual([name, note.name, true]);
		const first = notes.find(({ parameters }) =>
			String(parameters.content).startsWith('## Choose your credential and endpoint\n'),
		);
		expect([name, first && before(first, nodes).some(isOurs)]).toEqual([name, nodes.some(isOurs) ? true : undefined]);
	}
});

test('each example has one trigger in addition to that of evaluations, because the editor would start a webhook without a choice', async () => {
	for (const { name, nodes } of await examples()) expect([name, nodes.filter(isTrigger).length]).toEqual([name, 1]);
});
