/** What the nodes of this package use of the client. Users of the client find no entry to it in the package. */
export * from './index';
export type { BatchTarget } from './batches/batchTarget';
export type { RecordBatcher } from './batches/RecordBatcher';
export { seriesFinder, seriesKey } from './forecastSeries';
export { hasKeys, heldNumber, mayBeRounded, parseGiven, parseJson, parseResponse, sentNumber, setOwn } from './json';
export { closeNames } from './openapi/closeNames';
export { isBlank } from './openapi/FieldRule';
export { fieldWords } from './openapi/fieldWords';
export { fieldNouns, listed } from './openapi/misfitWords';
export { type Operation, operations } from './operations';
export { checkCredential } from './traffic/Transport';
export { callHeaders } from './wire/callHeaders';
export { type Location, parseLocations } from './wire/location';
export { pasted, pastedSecret } from './wire/pasted';
export { redactor } from './wire/secretHeaders';
