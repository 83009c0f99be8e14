// Every file of cases, for what they add.

import './run.ts'
