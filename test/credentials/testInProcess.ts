import { testCredential } from '../support/engine';

/** Tests the credential that is given as JSON, in its own process: n8n reads its settings once. */
void testCredential({ type: 'dataikuApiNodeApi', data: JSON.parse(process.argv[2]!) }).then((result) => {
	console.log(JSON.stringify(result));
	process.exit();
});
