// Every file of cases, for what they add.

import './exec.ts'
import './limits.ts'
import './mounts.ts'
import './network.ts'
import './run.ts'
import './security.ts'
