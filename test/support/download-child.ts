/** A process that downloads one file: `download-child.ts REPO FILE`. Prints its progress, then the result. */
import { downloadFile } from '../../src/node/index.ts';

const [repo = '', file = ''] = process.argv.slice(2);
const result = await downloadFile({
  repo,
  file,
  timing: { lockPollMs: 20 },
  onProgress: ({ doneBytes, resumedBytes }) => console.log(`at ${doneBytes} from ${resumedBytes}`),
  onNote: (text) => console.log(`note ${text}`),
});
console.log(JSON.stringify(result));
