module.exports = {
	testEnvironment: 'node',
	transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
	testMatch: ['<rootDir>/test/**/*.test.ts'],
	testPathIgnorePatterns: ['<rootDir>/test/e2e/'],
	modulePathIgnorePatterns: ['<rootDir>/.runtime/'],
	testTimeout: 30_000,
	// Nodes run as they were built, in n8n's loader; the client's tests take its sources.
	collectCoverageFrom: ['client/**/*.ts', 'dist/{nodes,credentials}/**/*.js'],
	coverageProvider: 'v8',
	coverageReporters: ['text'],
};
