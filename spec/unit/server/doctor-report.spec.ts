import { describe, expect, it } from 'vitest';
import { formatReport, formatReportAsJson, type Report } from '../../../src/server/doctor-report.ts';

const REPORT: Report = {
  ok: false,
  checked: { I1: 2, I2: 3 },
  findings: [
    {
      invariant: 'I2',
      object: "subvolume 'a\nb\u001b[2J'",
      message: 'is unknown',
      hint: 'look at it',
      fixed: false,
    },
    {
      invariant: 'I3',
      object: 'instance 7',
      message: 'does not run',
      hint: 'start it',
      repair: { action: 'start-instance', id: 7 },
      fixed: true,
      done: 'started the instance',
    },
  ],
  durationMs: 412,
};

describe('the report of doctor', () => {
  it('has a line for each finding with what to do, and a verdict; nothing in a name can break a line', () => {
    expect(formatReport(REPORT)).toBe(`I2 subvolume 'a b [2J': is unknown
   hint: look at it
I3 instance 7: does not run (fixed)
   done: started the instance
1 finding; checked I1 2, I2 3 in 412 ms
`);
  });

  it('says when all holds', () => {
    const report = { ...REPORT, ok: true, findings: [] };
    expect(formatReport(report)).toBe('all holds; checked I1 2, I2 3 in 412 ms\n');
  });

  it('is one JSON document on a line', () => {
    const text = formatReportAsJson(REPORT);
    expect(text.split('\n')).toHaveLength(2);
    expect(JSON.parse(text)).toEqual({
      ok: false,
      checked: { I1: 2, I2: 3 },
      findings: [
        {
          invariant: 'I2',
          object: "subvolume 'a\nb\u001b[2J'",
          message: 'is unknown',
          hint: 'look at it',
          fixed: false,
        },
        {
          invariant: 'I3',
          object: 'instance 7',
          message: 'does not run',
          hint: 'start it',
          fixed: true,
          done: 'started the instance',
        },
      ],
      duration_ms: 412,
    });
  });
});
