import { testFolder } from '../../support/record-tests.ts';

await testFolder('sampler');
