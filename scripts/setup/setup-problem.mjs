/** A reason why the set-up cannot go on, in words for the person who typed the command. */
export class SetupProblem extends Error {
  /**
   * @param {string} message what is wrong and what to do about it
   * @param {string} output what the failed command printed, if anything
   */
  constructor(message, output = '') {
    super(message);
    this.name = 'SetupProblem';
    this.output = output;
  }
}
