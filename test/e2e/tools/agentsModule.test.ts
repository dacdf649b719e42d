import type { IDataObject, INode } from 'n8n-workflow';
import { running } from '../running';
import { AgentModel, type Step } from './AgentModel';
import { afterEmptyCall, expectRightAnswers, firstCalls, secondCall, sixTools, theirArguments } from './sixTools';
import { Workbench } from './Workbench';

const { url } = running();
let bench: Workbench;
beforeAll(async () => (bench = await Workbench.open()));
afterAll(async () => await bench.close());
beforeEach(() => bench.forget());

const description = 'Call it first.';

/** Lets an agent of n8n's Agents talk with a scripted model until the script ends. */
async function converse(tool: INode, ...script: Step[]): Promise<AgentModel> {
	const model = await AgentModel.start(...script);
	try {
		const { id: credential } = await bench.modelCredential(model);
		const { name, type, typeVersion, parameters, credentials } = tool;
		const node = { nodeType: type, nodeTypeVersion: typeVersion, nodeParameters: parameters, credentials };
		const { id: projectId } = await bench.rest.call<{ id: string }>('GET', '/projects/personal');
		const agents = `/projects/${projectId}/agents/v2`;
		const schema = {
			...{ name: 'Agent', model: 'openai/scripted', credential, instructions: 'Use your tools.' },
			tools: [{ type: 'node', name, description, node }],
		};
		const { id } = await bench.rest.call<{ id: string }>('POST', agents, { name: 'Agent', schema });
		const response = await fetch(`${url}/rest${agents}/${id}/chat`, {
			method: 'POST',
			headers: { cookie: bench.rest.cookie, 'content-type': 'application/json' },
			body: JSON.stringify({ message: 'said in the chat' }),
		});
		expect(await response.text()).toContain('"type":"done"');
		expect(model.requests.map(({ path }) => path)).toEqual(Array(script.length + 1).fill('/v1/responses'));
		return model;
	} finally {
		await model.stop();
	}
}

/** The items of a result as the module passes them on. */
function itemsOf(said: string | undefined): IDataObject[] {
	const { status, data } = JSON.parse(said ?? '') as { status: string; data: Array<{ json: IDataObject }> };
	expect(status).toBe('success');
	return data.map(({ json }) => json);
}

/** A tool whose JSON field was saved with what the editor puts into it. */
function withJson(tool: INode): INode {
	const argument = theirArguments[tool.name as keyof typeof theirArguments][0];
	const recordJson = `={{ /*n8n-auto-generated-fromAI-override*/ $fromAI('${argument}', \`The record\`, 'json', '[{}]') }}`;
	return { ...tool, parameters: { ...tool.parameters, recordSource: 'json', recordJson } };
}

const features = {
	...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
	...{ customer_age_days: 240, chargebacks: 0, customer_id: 'C001' },
};

test.each(firstCalls)(
	'an agent of Agents gets the right response when the error tells it what is wrong after %s',
	async (_what, first) => {
		const results: Record<string, IDataObject[]> = {};
		for (const dropped of sixTools(bench)) {
			const { tools, said } = await converse(
				withJson(dropped),
				([spec]) => [first(spec!)],
				([spec], [text]) => [secondCall(spec!, JSON.stringify(itemsOf(text)))],
			);
			expect(tools[0]).toMatchObject({ name: dropped.name, description });
			results[dropped.name] = itemsOf(said[1]![0]);
		}
		expectRightAnswers(results, bench);
	},
);

test('an agent of Agents gets typed arguments, and is told which values are wrong, when the tool was saved with endpoint fields', async () => {
	const { tools, said } = await converse(
		bench.tool('dataikuPredict', 'fraud', await bench.form('dataikuPredict', 'fraud')),
		() => [['fraud', { ...features, country: 'Narnia' }]],
		() => [['fraud', { ...features, amount: 'a lot' }]],
		() => [['fraud', features]],
	);
	const { properties, required } = tools[0]!.parameters;
	expect(properties).toMatchObject({ amount: { type: 'number' }, card_present: { type: 'boolean' } });
	expect(required).toEqual(Object.keys(features));
	const [country, amount, right] = said.map(([text]) => text!);
	expect(itemsOf(country)[0]!.error).toMatch(/^'country' expects one of .* 'Narnia'.*expects amount \(number/);
	expect(amount).toMatch(/^\{"error":".*Invalid input for tool fraud.*Expected number, received string/);
	expect(itemsOf(right)).toMatchObject([{ prediction: 'fraud' }]);
	expect(bench.sent).toEqual([['fraud/predict-multi', { items: [{ features }] }]]);
});

test('an agent of Agents knows no argument of a tool, but can still use the tool, when no field of the tool was saved', async () => {
	const { tools, said } = await converse(
		bench.tool('dataikuPredict', 'fraud'),
		() => [['fraud', {}]],
		() => [['fraud', { features }]],
	);
	expect(tools[0]!.parameters).toEqual({ type: 'object', properties: {} });
	expect(itemsOf(said[0]![0])).toEqual([{ error: afterEmptyCall }]);
	expect(itemsOf(said[1]![0])).toMatchObject([{ prediction: 'fraud' }]);
});
