module.exports = {
	testEnvironment: 'node',
	// jose is an ES module, which Node.js loads in a CommonJS package and jest does not.
	transform: { '(\\.ts|/node_modules/jose/.+\\.js)$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
	transformIgnorePatterns: ['/node_modules/(?!jose/)'],
	testMatch: ['<rootDir>/test/**/*.test.ts'],
	testPathIgnorePatterns: ['<rootDir>/test/e2e/', '<rootDir>/test/scale/'],
	modulePathIgnorePatterns: ['<rootDir>/.runtime/'],
	// Most of a test's time is waiting.
	maxWorkers: '100%',
	// A hang is found out as well after this time; a busy machine needs it.
	testTimeout: 120_000,
	// Nodes run as they were built, in n8n's loader; the client's tests take its sources.
	collectCoverageFrom: ['client/**/*.ts', 'dist/{nodes,credentials}/**/*.js'],
	coverageProvider: 'v8',
	coverageReporters: ['text'],
};
