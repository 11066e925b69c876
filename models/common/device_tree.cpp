#include "models/common/device_tree.h"
