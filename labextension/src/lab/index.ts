/** The JupyterLab plugins of ft-jupyter: one a feature, so that each can be disabled by its id. */

import { highlight } from './highlight';
import { stills } from './stills';

export default [highlight, stills];
