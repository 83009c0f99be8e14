// How slow the machine is: all time-outs of the tests are as many times longer. An emulated machine sets 10 (vm/).

export const PATIENCE = Number(process.env.PATIENCE ?? 1)
