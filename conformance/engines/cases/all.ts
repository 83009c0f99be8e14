// Every file of cases, for what they add.

import './build.ts'
import './buildah.ts'
import './exec.ts'
import './limits.ts'
import './mounts.ts'
import './network.ts'
import './run.ts'
import './security.ts'
