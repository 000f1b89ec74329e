import { configure } from '@testing-library/react';

// How long an event may take on a busy machine; what comes sooner is not waited for.
configure({ asyncUtilTimeout: 10_000 });
