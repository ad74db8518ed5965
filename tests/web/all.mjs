// Every test of the pages, in one process: they share the service and the browser.
import './pages.test.mjs';
import './login.test.mjs';
import './verdicts.test.mjs';
import './scan.test.mjs';
import './board.test.mjs';
import './centre.test.mjs';
import './citizen.test.mjs';
import './desk.test.mjs';
import './desk-offline.test.mjs';
import './desk-answers.test.mjs';
