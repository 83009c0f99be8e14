// Every file of cases; importing one adds its cases.

import './cgroups.ts'
import './config.ts'
import './devices.ts'
import './errors.ts'
import './hooks.ts'
import './lifecycle.ts'
import './linux.ts'
import './mounts.ts'
import './namespaces.ts'
import './process.ts'
import './terminal.ts'
