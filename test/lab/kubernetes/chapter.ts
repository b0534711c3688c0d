/** The chapter, step by step: each thing is applied by kubectl, waited for, judged and shown. */
import { Verdict } from '../verdict.ts';
import type { KubernetesLab } from './lab.ts';
import { exceptions } from './steps/exceptions.ts';
import { floatingIp } from './steps/floating-ip.ts';
import { names } from './steps/names.ts';
import { ping } from './steps/ping.ts';
import { pods } from './steps/pods.ts';
import { services } from './steps/services.ts';

const STEPS = [names, pods, ping, exceptions, floatingIp, services];

/** A step that cannot go on fails as a whole; the others are still done. */
export async function chapter(lab: KubernetesLab, say: (line: string) => void): Promise<Verdict> {
  const verdict = new Verdict(say);
  for (const step of STEPS) {
    try {
      await step(lab, verdict);
    } catch (error) {
      verdict.judge(false, (error as Error).message.split('\n').slice(0, 12).join('\n    '));
    }
  }
  return verdict;
}
