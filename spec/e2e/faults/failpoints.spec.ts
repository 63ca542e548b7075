import { describeOperations } from './support/failpoint-suite.ts';

describeOperations([
  'create an instance',
  'destroy an instance',
  'create an image and upload',
  'destroy an image',
]);
