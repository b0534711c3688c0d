/** What the C twin of the lcore's loop takes from ours, under the same names. */
import * as L from '../../../wasm-core/layout.ts';
import * as block from '../../../firmware/host/lcore-block.ts';
import { DENSE_PER_US, LINGER_US, SMOOTHING, TRY_EVERY, WORTH_WAITING } from '../../../firmware/host/pace.ts';

/** Environment variable: path of the twin's shared object. */
export const TWIN_LIBRARY = 'WROUTER_BENCH_LCORE_TWIN';

const { LC_HELD_COUNT, LC_KICK_COUNT, LC_KICKS, LC_NOW_US, LC_STATE, LCORE_IDLE, LCORE_RUNNING, LCORE_SHIFT, LCORES, Q_TX, QUEUE_SHIFT, QUEUES, R_CONSUMER, R_FLAGS, R_PRODUCER } = L;
const { AWAKE, B_CONFIG, B_CONFIG_SEEN, B_SLEEP, B_STOP, POLLING, S_KICKS, S_PACKETS, S_POLLS, S_RUNS } = block;

export const TWIN_CONSTANTS = {
  LC_HELD_COUNT, LC_KICK_COUNT, LC_KICKS, LC_NOW_US, LC_STATE, LCORE_IDLE, LCORE_RUNNING, LCORE_SHIFT, LCORES, Q_TX, QUEUE_SHIFT, QUEUES, R_CONSUMER, R_FLAGS, R_PRODUCER,
  AWAKE, B_CONFIG, B_CONFIG_SEEN, B_SLEEP, B_STOP, POLLING, S_KICKS, S_PACKETS, S_POLLS, S_RUNS, DENSE_PER_US, LINGER_US, SMOOTHING, TRY_EVERY, WORTH_WAITING,
};
