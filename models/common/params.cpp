#include "models/common/params.h"
