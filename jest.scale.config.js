module.exports = {
	...require('./jest.config.js'),
	testMatch: ['<rootDir>/test/scale/**/*.test.ts'],
	testPathIgnorePatterns: [],
	globalSetup: '<rootDir>/test/scale/setup.ts',
	globalTeardown: '<rootDir>/test/scale/teardown.ts',
	testTimeout: 600_000,
	maxWorkers: 1,
};
