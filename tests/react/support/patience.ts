import { configure } from '@testing-library/react';

// Maximum time for an event on a busy machine. A test continues as soon as the event occurs.
configure({ asyncUtilTimeout: 10_000 });
