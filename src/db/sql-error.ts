import { DatabaseError } from 'pg';

/** Whether an error is the violation of that unique constraint (SQLSTATE 23505, PostgreSQL manual appendix A). */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return error instanceof DatabaseError && error.code === '23505' && error.constraint === constraint;
}
