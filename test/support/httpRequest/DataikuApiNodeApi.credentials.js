const built = require('../../../dist/credentials/DataikuApiNodeApi.credentials');

/** Ours as it was built, but for the icon: n8n wants that inside the package. */
class DataikuApiNodeApi extends built.DataikuApiNodeApi {
	icon = undefined;
}

module.exports = { DataikuApiNodeApi };
