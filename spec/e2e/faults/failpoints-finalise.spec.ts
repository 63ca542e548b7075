import { describeOperations } from './support/failpoint-suite.ts';

// For itself, so that it can run beside the others: a preparation takes longer than all of them.
describeOperations(['finalise an image']);
