// Scopes of a real systemd where cgroup v1 has the controllers.

import { testInWorld } from './systemd/world.ts'

testInWorld('hybrid', 'scopes.ts')
